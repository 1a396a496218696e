# SPDX-License-Identifier: Apache-2.0
"""What the monitors of a calibrated bundle detect: detection rates, ROC curves, evasion, and their time.

    python benchmarks/monitors.py BUNDLE --data DATA --out FOLDER
        [--senses image thermal audio video] [--samples 300] [--attacked 100]
        [--encoder image=CHECKPOINT] [--plain image=CHECKPOINT] [--aware] [--speed]

`--encoder` is the checkpoint that the bundle's graph of a sense was exported from, and `--plain` that of its
sentinel; each is attacked by PGD, in the sensor's own samples rounded as the sensor rounds. `--aware` also
attacks through the monitors. Samples are the test part's; thresholds are the bundle's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rvl_edge.bundle import Bundle
from rvl_edge.offline.calibration.observing import measure, observe, reference_of, sentinel_of
from rvl_edge.offline.calibration.samples import as_sample
from rvl_edge.offline.evaluation.adaptive.monitors import AwareAttack, Watch
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.corruptions.corrupt import corrupt, corruptions_of
from rvl_edge.offline.evaluation.detecting import area, detected_at, roc
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.evaluation.faults import FAULTS
from rvl_edge.offline.evaluation.wilson import proportion
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

RATE = 0.01
SEVERITY = 3
EPSILONS = {Modality.AUDIO: (0.001, 0.004)}
PICTURE_EPSILONS = (1 / 255, 4 / 255)
STEPS = 20
SEQUENTIAL = {"frozen", "range-jump"}  # test samples are no sequence

Raw = npt.NDArray[Any]
Statistics = dict[str, npt.NDArray[np.float64]]


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
        encoder = open_encoder(checkpoint)
        assert isinstance(encoder, Encoder)
        anchors = torch.from_numpy(self.perceiver.anchors(self.modality).matrix.copy())
        scale = float(encoder.logit_scale.detach().exp())
        return Classifier(encoder.eval().requires_grad_(False), self.exam.domain, anchors, scale)

    def raw(self, samples: Tensor) -> list[Raw]:
        """Samples of the domain as the sensor sends them."""
        if self.modality is Modality.AUDIO:
            return list((2 * samples - 1).numpy())
        levels = (samples * 255).round().byte()
        planes = levels[:, 0] if levels.shape[1] == 1 else levels.movedim(1, -1)
        return list(np.ascontiguousarray(planes.numpy()))

    def right(self, raw: list[Raw], labels: Tensor) -> npt.NDArray[np.bool_]:
        wrapped = (as_sample(self.modality, each, self.exam.stimuli.sample_rate) for each in raw)
        anchors = self.perceiver.anchors(self.modality).matrix
        found = [
            int((anchors @ seen.embedding).argmax())
            for seen in observe(self.perceiver, self.modality, wrapped)
        ]
        return np.array(found) == labels.numpy()


class Unruled:
    """A monitor whose statistic is measured even where it is a rule."""

    rule = None

    def __init__(self, monitor: Monitor) -> None:
        self.name, self.statistic, self.explain = monitor.name, monitor.statistic, monitor.explain


def disturbances(bench: Bench, count: int) -> Iterator[tuple[str, list[Raw]]]:
    """Corrupted and faulty samples, by name."""
    clean = [np.asarray(each) for each in bench.exam.stimuli.samples[:count]]
    rate = bench.exam.stimuli.sample_rate
    for name in corruptions_of(bench.modality):
        yield (
            f"{name} {SEVERITY}",
            [
                corrupt(each, bench.modality, name, SEVERITY, seed=(0, at), sample_rate=rate)
                for at, each in enumerate(clean)
            ],
        )
    for name, fault in FAULTS.get(bench.modality, {}).items():
        yield name, [fault(each, np.random.default_rng(at)) for at, each in enumerate(clean)]


def attacks(bench: Bench, targets: dict[str, Path], count: int) -> Iterator[tuple[str, list[Raw], Tensor]]:
    """Adversarial samples by PGD on each encoder."""
    samples, labels = bench.exam.batch(slice(0, count))
    for name, checkpoint in targets.items():
        classifier = bench.classifier(checkpoint)
        for eps in EPSILONS.get(bench.modality, PICTURE_EPSILONS):
            pgd = Pgd(Threat(Norm.LINF, eps), STEPS, 2.5 * eps / STEPS)
            goal = classification(classifier, labels, losses.cross_entropy)
            found = pgd(goal, samples, torch.Generator().manual_seed(0))
            shown = f"{eps:g}" if bench.modality is Modality.AUDIO else f"{eps * 255:g}/255"
            yield f"PGD on {name}, {shown}", bench.raw(found), labels


def aware(bench: Bench, targets: dict[str, Path], count: int) -> dict[str, Any]:
    """How often an answer is wrong and not warned of, by whether the attacker knows the monitors."""
    samples, labels = bench.exam.batch(slice(0, count))
    eps = EPSILONS.get(bench.modality, PICTURE_EPSILONS)[-1]
    pgd = Pgd(Threat(Norm.LINF, eps), STEPS, 2.5 * eps / STEPS)
    judged = bench.classifier(targets["encoder"])
    plain = bench.classifier(targets["plain"]) if "plain" in targets else None
    prompts = bench.perceiver.anchors(bench.modality).prompts
    watch = Watch(
        judged,
        bench.features,
        text_subspace(prompts.reshape(-1, prompts.shape[-1]), 256),
        plain,
        bench.curves,
    )
    goal = classification(judged, labels, losses.cross_entropy)
    seeds = (torch.Generator().manual_seed(seed) for seed in (0, 0))
    tried: dict[str, Callable[[], Tensor]] = {
        "unaware": lambda: pgd(goal, samples, next(seeds)),
        "aware": lambda: AwareAttack(watch, pgd)(samples, labels, next(seeds)),
    }
    result = {}
    for name, attack in tried.items():
        raw = bench.raw(attack())
        wrong, warned = ~bench.right(raw, labels), bench.warned(bench.look(raw))
        result[name] = {
            "eps": eps,
            "wrong": asdict(proportion(int(wrong.sum()), count)),
            "wrong_and_unwarned": asdict(proportion(int((wrong & ~warned).sum()), count)),
        }
    return result


def run(bench: Bench, targets: dict[str, Path], count: int, attacked: int) -> dict[str, Any]:
    clean = bench.look(np.asarray(each) for each in bench.exam.stimuli.samples)
    warned = bench.warned(clean)
    rows: dict[str, Any] = {}
    curves: dict[str, dict[str, Any]] = {}

    def add(name: str, raw: list[Raw], right: npt.NDArray[np.bool_] | None = None) -> None:
        found = bench.look(raw)
        caught = bench.warned(found)
        rows[name] = {
            "any": asdict(proportion(int(caught.sum()), len(caught))),
            "accuracy": None if right is None else float(right.mean()),
            "wrong_and_unwarned": None if right is None else float((~right & ~caught).mean()),
            "monitors": {
                each: {
                    "detected": asdict(detected_at(RATE, clean[each], values)),
                    "auc": asdict(area(clean[each], values)),
                }
                for each, values in found.items()
            },
        }
        curves[name] = {each: roc(clean[each], values) for each, values in found.items()}
        best = max(rows[name]["monitors"].items(), key=lambda each: each[1]["auc"]["value"])
        print(
            f"  {name}: {rows[name]['any']['value']:.0%} warned of; best alone {best[0]} "
            f"(AUC {best[1]['auc']['value']:.2f})",
            flush=True,
        )

    print(f"{bench.modality}: {warned.mean():.1%} of {len(warned)} clean test samples warned of", flush=True)
    for name, raw in disturbances(bench, count):
        add(name, raw)
    for name, raw, labels in attacks(bench, targets, attacked):
        add(name, raw, bench.right(raw, labels))
    return {
        "clean": asdict(proportion(int(warned.sum()), len(warned))),
        "disturbances": rows,
        "curves": curves,
    }


def draw(modality: Modality, curves: dict[str, dict[str, Any]], path: Path) -> None:
    """ROC curves, one panel a disturbance, false alarms on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 4
    rows = -(-len(curves) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4 * columns, 3.2 * rows), squeeze=False)
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    for axis, (name, monitors) in zip(axes.flat, curves.items(), strict=False):
        for monitor, curve in monitors.items():
            axis.plot(np.maximum(curve.false_alarms, 1e-3), curve.detected, label=monitor, lw=1)
        axis.axvline(RATE, color="grey", lw=0.5)
        axis.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.02), title=name)
    axes[-1, 0].set(xlabel="false alarms", ylabel="detected")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=6)
    figure.suptitle(f"{modality}: monitors one by one; the grey line is 1 % of false alarms")
    figure.tight_layout(rect=(0, 0.05, 1, 0.98))
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def table(results: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["| sense | what | warned of | best alone | at 1 % | AUC |", "|---|---|---|---|---|---|"]
    for sense, found in results.items():
        lines.append(f"| {sense} | clean test samples | {share(found['clean'])} | | | |")
        for name, row in found["disturbances"].items():
            best = max(row["monitors"].items(), key=lambda each: each[1]["auc"]["value"])
            auc = best[1]["auc"]
            lines.append(
                f"| {sense} | {name} | {share(row['any'])} | {best[0]} | {share(best[1]['detected'])} "
                f"| {auc['value']:.2f} ({auc['low']:.2f} to {auc['high']:.2f}) |"
            )
    return "\n".join(lines) + "\n"


def share(found: dict[str, float]) -> str:
    return f"{found['value']:.0%} ({found['low']:.0%} to {found['high']:.0%})"


def speed() -> None:
    """Median time of the picture monitors on 640 x 480, one thread."""
    import cv2

    from rvl_edge.preprocess import ImageSpec, preprocess_image
    from rvl_edge.trust.monitor import Observation

    cv2.setNumThreads(1)
    third = (0.5, 0.5, 0.5)
    rgb = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    for size in (32, 224):
        spec = ImageSpec(size=size, mean=third, std=third)
        inputs = preprocess_image(rgb, spec)
        monitors, times = sensor_monitors(Modality.IMAGE), []
        for _ in range(200):
            seen = Observation(rgb, inputs, spec, np.zeros(1, np.float32))
            begin = time.perf_counter()
            for monitor in monitors:
                monitor.statistic(seen)
            times.append(1e3 * (time.perf_counter() - begin))
        print(f"all picture monitors, VGA, encoder at {size}: median {np.median(times):.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--senses", nargs="+", type=Modality, default=[Modality.IMAGE])
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--attacked", type=int, default=100)
    parser.add_argument("--encoder", action="append", default=[])
    parser.add_argument("--plain", action="append", default=[])
    parser.add_argument("--aware", action="store_true")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.speed:
        speed()
        return
    given.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    with Perceiver(Bundle.open(given.bundle), monitors=False) as perceiver:
        for modality in given.senses:
            bench = Bench.of(perceiver, modality, given.data, given.samples)
            targets = {
                role: Path(path)
                for role in ("encoder", "plain")
                for sense, _, path in (each.partition("=") for each in getattr(given, role))
                if sense == modality
            }
            found = run(bench, targets, given.attacked, given.attacked)
            draw(modality, found.pop("curves"), given.out / f"monitors-{modality}.png")
            results[str(modality)] = found
            write(results, given.out)
            if given.aware and "encoder" in targets:
                found["evasion"] = aware(bench, targets, given.attacked)
                print(json.dumps(found["evasion"], indent=1))
                write(results, given.out)


def write(results: dict[str, Any], folder: Path) -> None:
    (folder / "monitors.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "monitors.md").write_text(table(results))


if __name__ == "__main__":
    main()
