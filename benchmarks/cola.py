# SPDX-License-Identifier: Apache-2.0
"""Time of COLA's refinement on one thread, beside POT's solvers in the same run: python benchmarks/cola.py

Embeddings are random, shaped like CLIP's: texts in a narrow cone, views in another. `scores` is all that
follows the encoder, `product` its largest part, the views times all texts, and `solve` its transport, for
which `ot.batch` and `ot.sinkhorn` (one call a class) solve the same problems. The contenders take turns, so
that whatever else the machine does slows all of them. Each figure is the median of the wall time and, in
brackets, of the time on a processor, without the waits for one. `shortlist` scores the likeliest 100 classes
alone, `made` is what a label set costs once. With --data, the embedded encoders then see validation samples
plainly, with COLA, and with COLA behind its gate: the mean of encoding and scoring, since the gate makes some
samples dearer than others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, thread_time

import cv2
import numpy as np
import ot
import ot.batch
from rich.console import Console
from rich.table import Table

from rvl_edge import Perceiver
from rvl_edge._refiner import Refiner
from rvl_edge.refine import Cola, ColaSettings, Gate, Sinkhorn, make_views
from rvl_edge.types import FloatArray, Modality

SETTINGS = ColaSettings()
LOGIT_SCALE = 100.0
SHORTLIST = 100


@dataclass(frozen=True)
class Size:
    classes: int
    views: int
    prompts: int
    dim: int
    target_ms: float | None = None

    def __str__(self) -> str:
        return f"K={self.classes} N={self.views} M={self.prompts} D={self.dim}"


SIZES = (
    Size(10, 5, 8, 256, 0.3),
    Size(10, 5, 50, 768, 0.3),
    Size(100, 5, 50, 768),
    Size(1000, 5, 50, 768, 10.0),
)
INPUTS = {
    Modality.IMAGE: (3, 224, 224),
    Modality.THERMAL: (3, 224, 224),
    Modality.AUDIO: (3, 112, 1036),
    Modality.VIDEO: (3, 8, 224, 224),
}


@dataclass(frozen=True)
class Times:
    """Medians of one contender, in milliseconds."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} ({self.processor:.3f})"


def take_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Time each once a round; the call before refills the caches that the last contender used."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            call()
            begin, processor = perf_counter(), thread_time()
            call()
            times[name].append((perf_counter() - begin, thread_time() - processor))
    return {name: Times(*np.median(1e3 * np.array(each), axis=0)) for name, each in times.items()}


def unit(rows: np.ndarray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def embeddings(size: Size) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(0)
    cone, centres = random.normal(size=size.dim), random.normal(size=(size.classes, 1, size.dim))
    texts = unit(2 * cone + centres + 0.5 * random.normal(size=(size.classes, size.prompts, size.dim)))
    sample = random.normal(size=size.dim) + 0.4 * centres[0, 0]
    return texts, unit(sample + 0.3 * random.normal(size=(size.views, size.dim)))


def pot_one_by_one(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> list[float]:
    plans = (
        ot.sinkhorn(a, each, c, SETTINGS.epsilon, numItermax=SETTINGS.iterations, stopThr=SETTINGS.tolerance)
        for each, c in zip(b, cost, strict=True)
    )
    return [float((plan * c).sum()) for plan, c in zip(plans, cost, strict=True)]


def pot_batched(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shared = np.broadcast_to(a, (len(b), len(a)))
    return ot.batch.solve_batch(
        cost, SETTINGS.epsilon, shared, b, max_iter=SETTINGS.iterations, tol=SETTINGS.tolerance
    ).value_linear


def measure(size: Size, rounds: int) -> list[str]:
    texts, views = embeddings(size)
    begin = thread_time()
    cola = Cola(texts, logit_scale=LOGIT_SCALE)
    made = thread_time() - begin
    coordinates = cola.subspace.coordinates(texts.reshape(-1, size.dim)).T
    viewed = cola.subspace.coordinates(views)
    projected = unit(cola.subspace.project(views))
    cost = np.ascontiguousarray(1 - np.einsum("nd,kmd->knm", projected, texts), np.float32)
    random = np.random.default_rng(1)
    a = random.dirichlet(np.ones(size.views)).astype(np.float32)
    b = random.dirichlet(np.ones(size.prompts), size.classes).astype(np.float32)
    solver = Sinkhorn(
        *cost.shape,
        epsilon=SETTINGS.epsilon,
        iterations=SETTINGS.iterations,
        tolerance=SETTINGS.tolerance,
    )
    wide = (cost.astype(np.float64), a.astype(np.float64), b.astype(np.float64))
    apart = np.abs(solver.solve(cost, a, b).cost - pot_one_by_one(*wide)).max()
    found = take_turns(
        {
            "scores": lambda: cola.scores(views),
            "shortlist": lambda: cola.scores(views, SHORTLIST),
            "product": lambda: viewed @ coordinates,
            "solve": lambda: solver.solve(cost, a, b),
            "batch": lambda: pot_batched(*wide),
            "sinkhorn": lambda: pot_one_by_one(*wide),
        },
        rounds,
    )
    target = "" if size.target_ms is None else f"{size.target_ms:g}"
    solved = found["solve"]
    rivals = [
        f"{found[pot]}, {found[pot].processor / solved.processor:.0f}x" for pot in ("batch", "sinkhorn")
    ]
    return [
        str(size),
        str(found["scores"]),
        target,
        str(found["shortlist"]) if size.classes > SHORTLIST else "",
        str(found["product"]),
        str(solved),
        *rivals,
        f"{apart:.0e}",
        f"{made:.2f}",
    ]


def overhead(data: Path, count: int) -> Table:
    """Encoding and scoring of validation samples by the embedded encoders, on one thread."""
    from rvl_edge.offline.datasets.loading import load_part
    from rvl_edge.offline.datasets.samples import Part
    from rvl_edge.offline.evaluation.trials import make_trial

    table = Table(title=f"embedded encoders on one thread, mean ms of {count} validation samples")
    for heading in ("sense", "plain", "COLA", "COLA behind its gate", "gate open"):
        table.add_column(heading, justify="left" if heading == "sense" else "right")
    with Perceiver.open(threads=1) as perceiver:
        perceiver.warm_up()
        scales = {each: perceiver.bundle.manifest.senses[each].logit_scale for each in perceiver.modalities}
        always, gated = (
            Refiner(settings, scales, {}, perceiver.embed_text)
            for settings in (SETTINGS, ColaSettings(gate=Gate()))
        )
        for modality in perceiver.modalities:
            anchors = perceiver.anchors(modality)
            encode = partial(perceiver.encode_batch, modality)
            samples = load_part(modality, data, Part.VALIDATION).take(slice(count))
            spec = perceiver.bundle.manifest.senses[modality].preprocess
            times, opened = np.zeros(3), 0
            for inputs in make_trial(samples, spec, Part.VALIDATION).inputs:
                steps = [perf_counter()]
                anchors.rank(encode(inputs[None])[0], scales[modality])
                steps.append(perf_counter())
                for refiner in (always, gated):
                    done = refiner.refine(
                        modality, anchors, inputs, encode=encode, sharpness=scales[modality]
                    )
                    steps.append(perf_counter())
                times += np.diff(steps)
                opened += done.refinement.views > 1
            mean = [f"{1e3 * each / len(samples):.2f}" for each in times]
            table.add_row(str(modality), *mean, f"{opened / len(samples):.0%}")
    return table


def single_threaded() -> None:
    """Start over with one BLAS thread; the libraries read the setting once, when they are loaded."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **one})
    cv2.setNumThreads(1)


def main() -> None:
    single_threaded()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--samples", type=int, default=100, help="of each sense, with --data")
    args = parser.parse_args()
    rounds = args.rounds
    console = Console()
    table = Table(title=f"COLA on one thread: wall (processor) ms, median of {rounds}")
    for heading in (
        "size",
        "scores",
        "target",
        "shortlist",
        "product",
        "solve",
        "ot.batch",
        "ot.sinkhorn",
        "largest gap",
        "made, s",
    ):
        table.add_column(heading, justify="left" if heading == "size" else "right")
    for size in SIZES:
        table.add_row(*measure(size, rounds))
    console.print(table)
    samples = {
        modality: np.random.default_rng(0).normal(size=shape).astype(np.float32)
        for modality, shape in INPUTS.items()
    }
    made = take_turns(
        {
            str(modality): lambda sample=sample, modality=modality: make_views(sample, modality, 5, 0)
            for modality, sample in samples.items()
        },
        rounds,
    )
    console.print(
        "5 views, ms:", ", ".join(f"{name} {INPUTS[Modality(name)]} {each}" for name, each in made.items())
    )
    if args.data is not None:
        console.print(overhead(args.data, args.samples))


if __name__ == "__main__":
    main()
