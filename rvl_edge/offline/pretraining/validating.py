# SPDX-License-Identifier: Apache-2.0
"""Accuracy of an encoder while it is trained, zero-shot through the text tower."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from rvl_edge.offline.evaluation.trials import Trial
from rvl_edge.offline.pretraining.texts import TextReader
from rvl_edge.offline.towers import Encoder
from rvl_edge.text import make_anchors

_AT_ONCE = 128


def validator(
    encoder: Encoder, reader: TextReader, trial: Trial, templates: Sequence[str]
) -> Callable[[nn.ModuleDict], dict[str, float]]:
    """A function from a stage's modules, of which `encoder` is one, to the accuracy of each label set."""
    inputs = torch.from_numpy(trial.inputs).split(_AT_ONCE)

    @torch.no_grad()
    def validate(modules: nn.ModuleDict) -> dict[str, float]:
        modules.eval()
        device = encoder.logit_scale.device
        with torch.autocast(device.type, torch.bfloat16):
            embedded = torch.cat([encoder.encode(part.to(device)) for part in inputs]).float().cpu().numpy()
        accuracy = {}
        for question in trial.questions:
            anchors = make_anchors(question.labels, templates, embed=reader, trained=(), version=0)
            guesses = (embedded @ anchors.matrix.T).argmax(axis=1)
            accuracy[question.label_set] = float(np.mean(guesses == question.answers))
        return accuracy

    return validate
