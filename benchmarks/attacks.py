# SPDX-License-Identifier: Apache-2.0
"""Our attacks against torchattacks' (time) and pyautoattack's (verdicts) on the embedded image encoder.

pip install --no-deps torchattacks
python benchmarks/attacks.py speed [--rounds 5] [--batch 64]
python benchmarks/attacks.py agreement [--samples 500]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.subjects import text_anchors
from rvl_edge.offline.evaluation.wilson import proportion
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.apgd import Apgd
from rvl_edge.offline.hardening.attacks.goals import Logits, classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.referee import Referee
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import open_encoder
from rvl_edge.types import Modality

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "export" / "checkpoints" / "tiny"
STEPS = 10


class Module(nn.Module):
    """The classifier as torchattacks wants it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.encoder, self._classifier = classifier.encoder, classifier

    def forward(self, samples: Tensor) -> Tensor:
        return self._classifier(samples)


def classifier_and_pictures(
    checkpoint: Path, data: Path, count: int, precision: torch.dtype = torch.float32
) -> tuple[Classifier, Tensor, Tensor]:
    """The encoder as a classifier, frozen, and `count` test pictures that it is right about."""
    encoder = open_encoder(checkpoint).requires_grad_(False)
    samples = load_part(Modality.IMAGE, data, Part.TEST)
    labels_folder = ROOT / "calibration" / "labels"
    anchors = text_anchors(TINY / "text", labels_folder, Modality.IMAGE, samples.classes)
    scale = float(encoder.logit_scale.detach().exp())
    domain = domain_of(encoder.card.preprocess)
    classifier = Classifier(encoder, domain, torch.from_numpy(anchors.copy()), scale, precision)
    pictures = torch.from_numpy(samples.data[: 2 * count]).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(samples.labels[: 2 * count])
    right = answers(classifier, pictures) == labels
    return classifier, pictures[right][:count], labels[right][:count]


@torch.no_grad()
def answers(logits: Logits, pictures: Tensor) -> Tensor:
    return torch.cat([logits(part).argmax(dim=1) for part in pictures.split(250)])


def speed(checkpoint: Path, data: Path, rounds: int, batch: int, threads: list[int]) -> None:
    import torchattacks

    classifier, pictures, labels = classifier_and_pictures(checkpoint, data, batch)
    module = Module(classifier).eval()

    def ours_pgd(eps: float) -> Tensor:
        goal = classification(classifier, labels, losses.cross_entropy)
        return Pgd(Threat(Norm.LINF, eps), STEPS, eps / 4)(goal, pictures)

    def ours_apgd(eps: float) -> Tensor:
        return Apgd(Threat(Norm.LINF, eps), "ce", STEPS)(classifier, pictures, labels)

    def theirs_pgd(eps: float) -> Tensor:
        attack = torchattacks.PGD(module, eps=eps, alpha=eps / 4, steps=STEPS, random_start=True)
        return attack(pictures, labels)

    def theirs_apgd(eps: float) -> Tensor:
        return torchattacks.APGD(module, norm="Linf", eps=eps, steps=STEPS)(pictures, labels)

    table = Table(title=f"{STEPS} steps on {batch} pictures: median of {rounds} rounds, in turns")
    for column in ("attack", "eps", "threads", "ours steps/s", "theirs", "ours samples/s", "theirs", "times"):
        table.add_column(column, justify="right")
    cases = [
        ("PGD", 2 / 255, ours_pgd, theirs_pgd),
        ("APGD-CE, none broken", 1e-6, ours_apgd, theirs_apgd),
        ("APGD-CE", 0.5 / 255, ours_apgd, theirs_apgd),
        ("APGD-CE", 2 / 255, ours_apgd, theirs_apgd),
    ]
    for count in threads:
        torch.set_num_threads(count)
        for name, eps, ours, theirs in cases:
            medians = interleaved(
                rounds, lambda ours=ours, eps=eps: ours(eps), lambda theirs=theirs, eps=eps: theirs(eps)
            )
            steps, rates = ([f"{each / seconds:.1f}" for seconds in medians] for each in (STEPS, batch))
            ratio = f"{medians[1] / medians[0]:.2f}"
            table.add_row(name, f"{eps * 255:.4g}/255", str(count), *steps, *rates, ratio)
    Console(width=140).print(table)


def interleaved(rounds: int, *calls: Callable[[], Tensor]) -> np.ndarray:
    """Median seconds of each call, timed in turns so that other load falls on all alike."""
    times = np.empty((rounds, len(calls)))
    for call in calls:
        call()
    for row in times:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            row[i] = time.perf_counter() - start
    return np.median(times, axis=0)


def agreement(checkpoint: Path, data: Path, samples: int, steps: int, radii: list[float]) -> None:
    classifier, pictures, labels = classifier_and_pictures(checkpoint, data, samples)
    half = Classifier(
        classifier.encoder, classifier.domain, classifier.anchors, classifier.scale, torch.bfloat16
    )
    table = Table(
        title=f"accuracy on {len(pictures)} pictures that are right unharmed, {steps} steps; seconds"
    )
    for column in ("eps", "attack", "ours, float32", "crafted in bfloat16", "pyautoattack", "alike"):
        table.add_column(column, justify="right")
    for radius in radii:
        threat = Threat(Norm.LINF, radius / 255)
        rows = {
            "APGD-CE": (Apgd(threat, "ce", steps), ("apgd-ce",)),
            "APGD-CE+T": (StandardAttack(threat, steps), ("apgd-ce", "apgd-t")),
        }
        for name, (attack, names) in rows.items():
            calls = (
                lambda attack=attack: attack(classifier, pictures, labels, torch.Generator().manual_seed(0)),
                lambda attack=attack: attack(half, pictures, labels, torch.Generator().manual_seed(0)),
                lambda names=names, threat=threat: Referee(threat, names, steps)(
                    classifier, pictures, labels
                ),
            )
            cells, verdicts = [], []
            for call in calls:
                start = time.perf_counter()
                verdict = answers(classifier, call()) == labels
                seconds = time.perf_counter() - start
                found = proportion(int(verdict.sum()), len(labels))
                cells.append(f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%}) {seconds:.0f} s")
                verdicts.append(verdict)
            alike = (verdicts[0] == verdicts[2]).float().mean()
            table.add_row(f"{radius:g}/255", name, *cells, f"{alike:.1%}")
    Console(width=160).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "agreement"))
    parser.add_argument("--checkpoint", type=Path, default=TINY / "image")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--radii", type=float, nargs="+", default=[0.25, 0.5])
    args = parser.parse_args()
    if args.what == "speed":
        speed(args.checkpoint, args.data, args.rounds, args.batch, args.threads)
    else:
        agreement(args.checkpoint, args.data, args.samples, args.steps, args.radii)


if __name__ == "__main__":
    main()
