# SPDX-License-Identifier: Apache-2.0
"""Our attacks and the referee's on the embedded image encoder and real pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.subjects import text_anchors
from rvl_edge.offline.evaluation.wilson import proportion
from rvl_edge.offline.hardening.attacks.apgd import Apgd
from rvl_edge.offline.hardening.attacks.referee import AttackName, Referee
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import open_encoder
from rvl_edge.types import Modality

pytestmark = pytest.mark.data

COUNT = 40
ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "export" / "checkpoints" / "tiny"


@pytest.fixture(scope="module")
def plain(data_dir: Path) -> tuple[Classifier, Tensor, Tensor]:
    """The encoder as it was pretrained, and test pictures that it is right about."""
    encoder = open_encoder(TINY / "image").requires_grad_(False)
    samples = load_part(Modality.IMAGE, data_dir, Part.TEST)
    anchors = text_anchors(TINY / "text", ROOT / "calibration" / "labels", Modality.IMAGE, samples.classes)
    scale = float(encoder.logit_scale.detach().exp())
    domain = domain_of(encoder.card.preprocess)
    classifier = Classifier(encoder, domain, torch.from_numpy(anchors.copy()), scale)
    pictures = torch.from_numpy(samples.data[: 2 * COUNT]).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(samples.labels[: 2 * COUNT])
    right = _answers(classifier, pictures) == labels
    return classifier, pictures[right][:COUNT], labels[right][:COUNT]


@torch.no_grad()
def _answers(classifier: Classifier, pictures: Tensor) -> Tensor:
    return classifier(pictures).argmax(dim=1)


def test_attacks_attack(plain: tuple[Classifier, Tensor, Tensor]) -> None:
    """An encoder that nobody hardened withstands nothing at 8/255."""
    classifier, pictures, labels = plain
    found = Apgd(Threat(Norm.LINF, 8 / 255), "ce", steps=8)(classifier, pictures, labels)
    assert ((found - pictures).abs() <= 8 / 255 + 1e-6).all()
    assert (_answers(classifier, found) == labels).float().mean() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("names", [("apgd-ce",), ("apgd-ce", "apgd-t")])
def test_ours_and_the_referees_accuracy_agree(
    plain: tuple[Classifier, Tensor, Tensor], names: tuple[AttackName, ...]
) -> None:
    classifier, pictures, labels = plain
    threat, steps = Threat(Norm.LINF, 0.4 / 255), 4
    ours = Apgd(threat, "ce", steps) if len(names) == 1 else StandardAttack(threat, steps)
    found = ours(classifier, pictures, labels, torch.Generator().manual_seed(0))
    theirs = Referee(threat, names, steps)(classifier, pictures, labels)
    right = [int((_answers(classifier, each) == labels).sum()) for each in (found, theirs)]
    interval = proportion(right[1], COUNT)
    assert 0 < right[1] < COUNT
    assert interval.low <= right[0] / COUNT <= interval.high
