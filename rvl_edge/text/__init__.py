# SPDX-License-Identifier: Apache-2.0
"""Text: tokenizer, text tower, and the anchors that labels become."""

from __future__ import annotations

from rvl_edge.text.anchors import Anchors, UntrainedLabelWarning, make_anchors
from rvl_edge.text.bank import LabelBank, Vocabulary
from rvl_edge.text.encoder import TextEncoder
from rvl_edge.text.tokenizer import Tokenizer

__all__ = [
    "Anchors",
    "LabelBank",
    "TextEncoder",
    "Tokenizer",
    "UntrainedLabelWarning",
    "Vocabulary",
    "make_anchors",
]
