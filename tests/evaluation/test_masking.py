# SPDX-License-Identifier: Apache-2.0
"""The checklist on an honest encoder, and on one that hides its gradients."""

from __future__ import annotations

from pathlib import Path

import torch
from linear_encoder import Problem, problem
from linear_exam import linear_run
from torch import Tensor

from rvl_edge.offline.evaluation.masking import Verdict, checklist, verdicts
from rvl_edge.offline.evaluation.running import Share
from rvl_edge.offline.evaluation.subjects import Judge
from rvl_edge.offline.hardening.attacks.goals import Logits

EPS = 4 / 255


def _judged(
    case: Problem, folder: Path, logits: Logits, surrogate: Judge | None = None
) -> dict[str, Verdict]:
    run = linear_run(case, checklist(EPS, surrogate), folder, logits=logits)
    run.compute(Share(), lambda title, done, total, rate: None)
    found = run.collect()
    assert found is not None
    return {each.name: each for each in verdicts(found)}


def test_an_honest_encoder_passes_every_check(tmp_path: Path) -> None:
    case = problem(count=40)
    plain = linear_run(problem(count=40, seed=1), (), tmp_path).judge
    found = _judged(case, tmp_path, case.classifier, plain)
    assert len(found) == 7
    assert [each for each in found.values() if not each.passed] == []
    large = found["nothing withstands a large eps"]
    assert large.numbers == {"64/255": 0.0}


def test_hidden_gradients_are_found_out(tmp_path: Path) -> None:
    case = problem(count=40)

    def hidden(samples: Tensor) -> Tensor:
        """The same answers; rounding has no slope, so gradients lead nowhere."""
        logits: Tensor = case.classifier(samples)
        return torch.round(logits.detach() * 1e4) / 1e4 + 0 * logits

    found = _judged(case, tmp_path, hidden, linear_run(case, (), tmp_path).judge)
    failed = {name for name, each in found.items() if not each.passed}
    assert "nothing withstands a large eps" in failed
    assert "square is no stronger than pgd" in failed
    assert "transfer is no stronger than pgd" in failed
