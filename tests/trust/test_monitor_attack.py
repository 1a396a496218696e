# SPDX-License-Identifier: Apache-2.0
"""The attacker's monitors are the robot's, and the attack trades wrongness against being warned of."""

from __future__ import annotations

import numpy as np
import torch
from small_cards import DIM, image_card, randomised

from rvl_edge.offline.evaluation.adaptive.monitors import AwareAttack, Watch
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import Encoder
from rvl_edge.refine import text_subspace
from rvl_edge.trust.agreement import SentinelDisagreement, SubspaceEnergy
from rvl_edge.trust.features import CleanFeatures, EmbeddingDistance
from rvl_edge.trust.monitor import Curve, Observation

EPS = 24 / 255


def problem() -> tuple[Watch, torch.Tensor, torch.Tensor]:
    card = image_card()
    own, plain = (randomised(Encoder(card), seed).requires_grad_(False) for seed in (0, 1))
    generator = torch.Generator().manual_seed(0)
    samples = torch.rand((24, 3, 16, 16), generator=generator)
    domain = domain_of(card.preprocess)
    anchors = torch.nn.functional.normalize(own.features(domain.model_input(samples[:6])), dim=1)
    judged, sentinel = (Classifier(each, domain, anchors, 10.0) for each in (own, plain))
    labels = judged(samples).argmax(dim=1)
    embeddings = torch.nn.functional.normalize(own.features(domain.model_input(samples)), dim=1).numpy()
    features = CleanFeatures.fit(embeddings, labels.numpy(), rank=4)
    curves = {
        name: Curve(threshold, ((threshold, 1.0), (threshold + 0.3, np.exp(-1))))
        for name, threshold in (
            (EmbeddingDistance.name, 5.0),
            (SubspaceEnergy.name, 0.2),
            (SentinelDisagreement.name, 0.5),
        )
    }
    watch = Watch(judged, features, text_subspace(anchors.numpy(), DIM), sentinel, curves)
    return watch, samples, labels


def test_excesses_are_the_robots_statistics() -> None:
    watch, samples, _ = problem()
    own, plain = watch.classifier, watch.sentinel
    assert plain is not None
    inputs = own.domain.model_input(samples)
    embeddings, others = (
        torch.nn.functional.normalize(each.encoder.features(inputs), dim=1).numpy() for each in (own, plain)
    )
    monitors = (
        EmbeddingDistance(watch.features),
        SubspaceEnergy(watch.subspace),
        SentinelDisagreement(own.anchors.numpy(), own.scale),
    )
    found = watch.look(samples)[1].numpy()
    for row, (embedding, other) in enumerate(zip(embeddings, others, strict=True)):
        nothing = np.zeros(1, np.float32)
        seen = Observation(nothing, nothing, own.encoder.card.preprocess, embedding, sentinel=other)
        for column, monitor in enumerate(monitors):
            value = (monitor.statistic(seen) - watch.curves[monitor.name].threshold) / 0.3
            np.testing.assert_allclose(found[row, column], value, rtol=2e-3, atol=2e-3)


def test_knowing_the_monitors_lets_more_wrong_answers_through_unwarned() -> None:
    watch, samples, labels = problem()
    pgd = Pgd(Threat(Norm.LINF, EPS), 15, EPS / 5)
    unaware = pgd(
        classification(watch.classifier, labels, losses.cross_entropy),
        samples,
        torch.Generator().manual_seed(0),
    )
    # Thresholds that warn of half of what the unaware attacker finds.
    middle = watch.look(unaware)[1].median(dim=0).values * 0.3
    for shift, (name, curve) in zip(middle.tolist(), watch.curves.items(), strict=True):
        threshold = curve.threshold + shift
        watch.curves[name] = Curve(threshold, ((threshold, 1.0), (threshold + 0.3, np.exp(-1))))
    aware = AwareAttack(watch, pgd)(samples, labels, torch.Generator().manual_seed(0))
    assert (aware - samples).abs().max() <= EPS + 1e-6
    assert aware.min() >= 0
    assert aware.max() <= 1

    def evaded(points: torch.Tensor) -> int:
        logits, excess = watch.look(points)
        return int(((logits.argmax(dim=1) != labels) & (excess <= 0).all(dim=1)).sum())

    assert evaded(aware) > evaded(unaware)
