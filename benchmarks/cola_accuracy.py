# SPDX-License-Identifier: Apache-2.0
"""COLA on clean samples of a bundle: python benchmarks/cola_accuracy.py --data DATA [--bundle BUNDLE]

One row a sense and label set: accuracy in % with its 95 % interval without COLA, with its parts and with all
of it, and the share of samples that the gate spends views on. Choose settings on `--part validation`.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rvl_edge import Perceiver, UntrainedLabelWarning
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.adaptive.defences import DEFENCES
from rvl_edge.offline.evaluation.refining import evaluate_refined
from rvl_edge.refine import ColaSettings, Gate, PromptSet
from rvl_edge.types import Modality


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--part", type=Part, default=Part.TEST)
    parser.add_argument("--senses", type=Modality, nargs="+")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--views", type=int, default=ColaSettings.views)
    parser.add_argument("--keep", type=float, nargs="+", default=[ColaSettings.keep])
    parser.add_argument("--margin", type=float, nargs="+", default=[Gate.margin])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[ColaSettings.epsilon])
    parser.add_argument("--prompts", type=Path, help="a prompt set instead of the templates")
    args = parser.parse_args()
    table = Table(title=f"{args.part.value} part, {args.views} views")
    for heading in ("sense, label set", "samples", "keep", "epsilon", *DEFENCES, "margin", "gate open"):
        table.add_column(heading)
    prompts = None if args.prompts is None else PromptSet.read(args.prompts)
    cases = [(keep, eps, margin) for keep in args.keep for eps in args.epsilon for margin in args.margin]
    with Perceiver.open(args.bundle, modalities=args.senses) as perceiver, warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedLabelWarning)
        for keep, epsilon, margin in cases:
            for found in evaluate_refined(
                perceiver,
                args.data,
                part=args.part,
                count=args.samples,
                settings=ColaSettings(views=args.views, keep=keep, epsilon=epsilon),
                gate=Gate(margin=margin),
                prompts=prompts,
            ):
                shares = [f"{each.value:.1%}\n[{each.low:.1%}, {each.high:.1%}]" for each in found.accuracies]
                table.add_row(
                    f"{found.modality}, {found.label_set}",
                    str(found.accuracies[0].trials),
                    f"{keep:g}",
                    f"{epsilon:g}",
                    *shares,
                    f"{margin:g}",
                    f"{found.opened:.1%}",
                )
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
