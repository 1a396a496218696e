# SPDX-License-Identifier: Apache-2.0
"""COLA under attackers who know of it, on any checkpoint of any sense.

python benchmarks/adaptive_cola.py CHECKPOINT --data DATA --text export/checkpoints/tiny/text [--eps 1]

One row a defence, one column an attack: accuracy in %, its 95 % interval, and the share of samples that the
gate opens for. Epsilons are in 255ths of the domain's full scale; `evaluate --help` says what the domain is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from rvl_edge.offline.datasets.labels import read_templates
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import DEFENCES, Defences
from rvl_edge.offline.evaluation.adaptive.measuring import ATTACKS, Cell, measure
from rvl_edge.offline.evaluation.adaptive.views import Variation
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.pretraining.texts import TextReader
from rvl_edge.offline.towers import open_encoder, open_text, read_tokenizer
from rvl_edge.refine import ColaSettings, Gate
from rvl_edge.text import Anchors, Tokenizer, make_anchors
from rvl_edge.types import Modality

ROOT = Path(__file__).resolve().parents[1]


def anchors_of(text: Path, labels: Path, exam: Exam) -> Anchors:
    encoder = open_text(text)
    tokenizer = Tokenizer(read_tokenizer(text).encode(), encoder.card.text_config.max_position_embeddings)
    templates = read_templates(labels)[exam.modality]
    embed = TextReader(encoder, tokenizer)
    return make_anchors(exam.question.labels, templates, embed=embed, trained=None, version=0)


def batches(exam: Exam, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for start in track(range(0, len(exam), size), "batches"):
        yield exam.batch(slice(start, start + size))


def table_of(cells: tuple[Cell, ...], title: str) -> Table:
    table = Table(title=title)
    for heading in ("", *ATTACKS):
        table.add_column(heading, justify="right" if heading else "left")
    found = {(each.defence, each.attack): each for each in cells}
    for defence in DEFENCES:
        row = []
        for attack in ATTACKS:
            cell = found[defence, attack]
            share = cell.accuracy
            opened = "" if cell.opened is None else f"\nopen {cell.opened:.0%}"
            row.append(f"{share.value:.1%}\n[{share.low:.1%}, {share.high:.1%}]{opened}")
        table.add_row(defence, *row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text", type=Path, default=ROOT / "export" / "checkpoints" / "tiny" / "text")
    parser.add_argument("--labels", type=Path, default=ROOT / "calibration" / "labels")
    parser.add_argument("--label-set")
    parser.add_argument("--part", type=Part, default=Part.TEST)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--eps", type=float, nargs="+", default=[1.0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--views", type=int, default=ColaSettings.views)
    parser.add_argument("--keep", type=float, default=ColaSettings.keep)
    parser.add_argument("--margin", type=float, default=Gate.margin)
    parser.add_argument("--batch", type=int, default=50)
    args = parser.parse_args()

    encoder = open_encoder(args.checkpoint).eval()
    modality = Modality(encoder.card.modality)
    spec = encoder.card.preprocess
    exam = set_exam(modality, spec, args.data, part=args.part, count=args.samples, label_set=args.label_set)
    anchors = anchors_of(args.text, args.labels, exam)
    scale = float(encoder.logit_scale.detach().exp())
    classifier = Classifier(encoder, exam.domain, torch.from_numpy(anchors.matrix.copy()), scale)
    settings = ColaSettings(views=args.views, keep=args.keep)
    defences = Defences(anchors.prompts, anchors.matrix, scale, settings, Gate(margin=args.margin))
    for eps in args.eps:
        pgd = Pgd(Threat(Norm.LINF, eps / 255), args.steps, eps / 255 / 4)
        attackers = Attackers(classifier, Variation(modality, settings.views, settings.keep), pgd)
        begin = time.perf_counter()
        cells = measure(attackers, defences, batches(exam, args.batch))
        title = (
            f"{args.checkpoint.name}: {len(exam)} {args.part.value} samples of {exam.described.name}, "
            f"L-inf {eps:g}/255 of {exam.domain.name}, PGD {args.steps}, {settings.views} views that keep "
            f"{settings.keep:g}, margin {args.margin:g}; {time.perf_counter() - begin:.0f} s"
        )
        Console(width=150).print(table_of(cells, title))


if __name__ == "__main__":
    main()
