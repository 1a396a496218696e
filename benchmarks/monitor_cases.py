# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks/monitors.py` looks at: a calibrated sense, and samples in every kind of trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rvl_edge.offline.calibration.observing import measure, observe, reference_of, sentinel_of
from rvl_edge.offline.calibration.samples import as_sample
from rvl_edge.offline.evaluation.adaptive.monitors import AwareAttack, Watch
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.corruptions.corrupt import corrupt, corruptions_of
from rvl_edge.offline.evaluation.detections import Search
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.evaluation.faults import FAULTS
from rvl_edge.offline.evaluation.subjects import PRECISIONS
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import Encoder, open_encoder
from rvl_edge.perceiver import Perceiver
from rvl_edge.refine import ColaSettings, text_subspace
from rvl_edge.trust.features import CleanFeatures, EmbeddingDistance
from rvl_edge.trust.monitor import Curve, Monitor
from rvl_edge.trust.panel import curve_of, embedding_monitors, sensor_monitors
from rvl_edge.types import Modality

SEVERITY = 3
EPSILONS = {Modality.AUDIO: (0.001, 0.004)}
PICTURE_EPSILONS = (1 / 255, 4 / 255)
SEARCH = Search(steps=20, precision="bfloat16", prices=6)
AT_ONCE = 50  # samples under attack; a clip is eight pictures
SEQUENTIAL = {"frozen", "range-jump"}  # test samples are no sequence

Raw = npt.NDArray[Any]
Statistics = dict[str, npt.NDArray[np.float64]]
Attack = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Bench:
    """One sense of a calibrated bundle, with test samples."""

    perceiver: Perceiver
    modality: Modality
    exam: Exam
    monitors: tuple[Monitor, ...]
    curves: dict[str, Curve]
    features: CleanFeatures

    @classmethod
    def of(cls, perceiver: Perceiver, modality: Modality, data: Path, count: int) -> Bench:
        manifest = perceiver.bundle.manifest
        fitted = perceiver.bundle.calibration.of(manifest, modality)  # type: ignore[union-attr]
        assert fitted is not None, "run `rvl-edge calibrate monitors` first"
        spec = manifest.senses[modality].preprocess
        exam = set_exam(modality, spec, data, count=count, at_sensor=True)
        numbers = next(each.statistics for each in fitted.monitors if each.name == EmbeddingDistance.name)
        features = CleanFeatures.of(numbers, manifest.embedding_dim)
        reference = reference_of(perceiver, modality)
        monitors = (*sensor_monitors(modality), *embedding_monitors(reference, features))
        curves = {each.name: curve_of(each) for each in fitted.monitors}
        return cls(
            perceiver,
            modality,
            exam,
            tuple(each for each in monitors if each.name not in SEQUENTIAL),
            curves | {each.name: each.rule for each in monitors if each.rule is not None},
            features,
        )

    @property
    def promised(self) -> float:
        """Share of clean samples that the calibration warns of at most."""
        fitted = self.perceiver.bundle.calibration.of(self.perceiver.bundle.manifest, self.modality)  # type: ignore[union-attr]
        return max(each.family_rate or 0.0 for each in fitted.monitors)  # type: ignore[union-attr]

    def look(self, samples: Iterable[Raw]) -> Statistics:
        """Statistics of every monitor, rules too."""
        everything = [Unruled(each) for each in self.monitors]
        wrapped = (as_sample(self.modality, each, self.exam.stimuli.sample_rate) for each in samples)
        seen = observe(
            self.perceiver,
            self.modality,
            wrapped,
            views=ColaSettings().views,
            sentinel=sentinel_of(self.perceiver, self.modality, "onnxruntime"),
        )
        return measure(everything, seen)

    def warned(self, found: Statistics) -> npt.NDArray[np.bool_]:
        """Where any monitor finds something."""
        return np.any(
            [[self.curves[name].trust(value) < 1 for value in values] for name, values in found.items()],
            axis=0,
        )

    def classifier(self, checkpoint: Path) -> Classifier:
        """What is attacked: its gradients are in bfloat16, its answers those of the bundle's graph."""
        encoder = open_encoder(checkpoint)
        assert isinstance(encoder, Encoder)
        anchors = torch.from_numpy(self.perceiver.anchors(self.modality).matrix.copy())
        scale = float(encoder.logit_scale.detach().exp())
        return Classifier(
            encoder.eval().requires_grad_(False),
            self.exam.domain,
            anchors,
            scale,
            PRECISIONS[SEARCH.precision],
        )

    def raw(self, samples: Tensor) -> list[Raw]:
        """Samples of the domain as the sensor sends them."""
        if self.modality is Modality.AUDIO:
            return list((2 * samples - 1).numpy())
        levels = (samples * 255).round().byte()
        planes = levels[:, 0] if levels.shape[1] == 1 else levels.movedim(1, -1)
        return list(np.ascontiguousarray(planes.numpy()))

    def right(self, raw: list[Raw]) -> npt.NDArray[np.bool_]:
        """Where the bundle's graph answers rightly; `raw` was made of as many first samples."""
        wrapped = (as_sample(self.modality, each, self.exam.stimuli.sample_rate) for each in raw)
        anchors = self.perceiver.anchors(self.modality).matrix
        found = [
            int((anchors @ seen.embedding).argmax())
            for seen in observe(self.perceiver, self.modality, wrapped)
        ]
        return np.array(found) == self.exam.question.answers[: len(raw)]


class Unruled:
    """A monitor whose statistic is measured even where it is a rule."""

    rule = None

    def __init__(self, monitor: Monitor) -> None:
        self.name, self.statistic, self.explain = monitor.name, monitor.statistic, monitor.explain


@dataclass(frozen=True, eq=False)
class Trouble:
    """Samples in trouble, made when they are asked for.

    Attributes:
        name, kind: of the trouble.
        make: them, as the sensor sends them.
        asked: whether answers count too.
        eps: radius of an attack.
    """

    name: str
    kind: Literal["corruption", "fault", "attack"]
    make: Callable[[], list[Raw]]
    asked: bool = False
    eps: float | None = None


def troubles(bench: Bench, targets: dict[str, Path], count: int) -> Iterator[Trouble]:
    """Everything that is done to the first `count` samples: corruptions, faults, PGD on each encoder."""
    rate = bench.exam.stimuli.sample_rate
    clean = [np.asarray(each) for each in bench.exam.stimuli.samples[:count]]

    def corrupted(name: str) -> list[Raw]:
        return [
            corrupt(each, bench.modality, name, SEVERITY, seed=(0, at), sample_rate=rate)
            for at, each in enumerate(clean)
        ]

    def faulty(name: str) -> list[Raw]:
        fault = FAULTS[bench.modality][name]
        return [fault(each, np.random.default_rng(at)) for at, each in enumerate(clean)]

    for name in corruptions_of(bench.modality):
        yield Trouble(f"{name} {SEVERITY}", "corruption", partial(corrupted, name))
    for name in FAULTS.get(bench.modality, {}):
        yield Trouble(name, "fault", partial(faulty, name))
    for name, checkpoint in targets.items():
        for eps in EPSILONS.get(bench.modality, PICTURE_EPSILONS):
            shown = f"{eps:g}" if bench.modality is Modality.AUDIO else f"{eps * 255:g}/255"
            make = partial(_attacked, bench, partial(unaware, bench, checkpoint, eps), count)
            yield Trouble(f"PGD on {name}, {shown}", "attack", make, asked=True, eps=eps)


def evasions(bench: Bench, targets: dict[str, Path], count: int) -> Iterator[Trouble]:
    """The strongest attack on the encoder by who does not know the monitors, and by who does."""
    eps = EPSILONS.get(bench.modality, PICTURE_EPSILONS)[-1]
    tried = {
        "unaware": partial(unaware, bench, targets["encoder"], eps),
        "aware": partial(aware, bench, targets, eps),
    }
    for name, attack in tried.items():
        yield Trouble(name, "attack", partial(_attacked, bench, attack, count), asked=True, eps=eps)


def unaware(bench: Bench, checkpoint: Path, eps: float) -> Attack:
    """PGD on the cross-entropy of a checkpoint."""
    classifier, pgd = bench.classifier(checkpoint), _pgd(eps)
    return lambda samples, labels, generator: pgd(
        classification(classifier, labels, losses.cross_entropy), samples, generator
    )


def aware(bench: Bench, targets: dict[str, Path], eps: float) -> Attack:
    """PGD through the monitors too."""
    prompts = bench.perceiver.anchors(bench.modality).prompts
    watch = Watch(
        bench.classifier(targets["encoder"]),
        bench.features,
        text_subspace(prompts.reshape(-1, prompts.shape[-1]), ColaSettings.rank),
        bench.classifier(targets["plain"]) if "plain" in targets else None,
        bench.curves,
    )
    return AwareAttack(watch, _pgd(eps), SEARCH.prices)


def _attacked(bench: Bench, prepare: Callable[[], Attack], count: int) -> list[Raw]:
    attack, found = prepare(), []
    for start in range(0, count, AT_ONCE):
        samples, labels = bench.exam.batch(slice(start, min(start + AT_ONCE, count)))
        found += bench.raw(attack(samples, labels, torch.Generator().manual_seed(start)))
    return found


def _pgd(eps: float) -> Pgd:
    return Pgd(Threat(Norm.LINF, eps), SEARCH.steps, 2.5 * eps / SEARCH.steps)
