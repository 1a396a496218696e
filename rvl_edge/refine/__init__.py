# SPDX-License-Identifier: Apache-2.0
"""COLA: text subspace, views, and optimal transport between a sample's views and a class's prompts."""

from __future__ import annotations

from rvl_edge.refine.budget import Budget, Effort
from rvl_edge.refine.cola import Cola, ColaSettings, TransportNotConverged
from rvl_edge.refine.gate import Gate, top_margin
from rvl_edge.refine.prompt_set import PromptSet
from rvl_edge.refine.subspace import TextSubspace, text_subspace, whole_space
from rvl_edge.refine.transport import Sinkhorn, Transport
from rvl_edge.refine.views import Crop, Excerpt, frame_seed, make_views, plan_views

__all__ = [
    "Budget",
    "Cola",
    "ColaSettings",
    "Crop",
    "Effort",
    "Excerpt",
    "Gate",
    "PromptSet",
    "Sinkhorn",
    "TextSubspace",
    "Transport",
    "TransportNotConverged",
    "frame_seed",
    "make_views",
    "plan_views",
    "text_subspace",
    "top_margin",
    "whole_space",
]
