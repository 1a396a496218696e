# SPDX-License-Identifier: Apache-2.0
"""COLA under attackers who know of it, on any checkpoint of any sense.

    python benchmarks/adaptive_cola.py CHECKPOINT --name hardened --data DATA --out FOLDER [--eps 1 4]

Each eps leaves FOLDER/cola-SENSE-LABELS-NAME-EPS.json, which `rvl-edge report` reads, and prints one row a
defence, one column an attack: accuracy in %, its 95 % interval, and the share of samples that the gate opens
for. Epsilons are in 255ths of the domain's full scale; `evaluate --help` says what the domain is. A killed
run goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from rvl_edge.offline.datasets.labels import read_templates
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import DEFENCES, Defences
from rvl_edge.offline.evaluation.adaptive.measuring import ATTACKS
from rvl_edge.offline.evaluation.adaptive.results import WORST, ColaEvaluation
from rvl_edge.offline.evaluation.adaptive.running import ColaRun
from rvl_edge.offline.evaluation.adaptive.views import Variation
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.evaluation.results import write_evaluation
from rvl_edge.offline.evaluation.subjects import PRECISIONS, checkpoint_judge
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.pretraining.texts import TextReader
from rvl_edge.offline.towers import Encoder, open_encoder, open_text, read_tokenizer
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


def run_of(args: argparse.Namespace, eps: float) -> ColaRun:
    encoder = open_encoder(args.checkpoint).eval()
    assert isinstance(encoder, Encoder)
    modality = Modality(encoder.card.modality)
    exam = set_exam(
        modality,
        encoder.card.preprocess,
        args.data,
        part=args.part,
        count=args.samples,
        label_set=args.label_set,
    )
    anchors = anchors_of(args.text, args.labels, exam)
    subject = checkpoint_judge(args.name, encoder, anchors.matrix, exam.domain).subject
    table = torch.from_numpy(anchors.matrix.copy())
    classifier = Classifier(encoder, exam.domain, table, subject.scale, PRECISIONS[args.precision])
    settings = ColaSettings(views=args.views, keep=args.keep)
    pgd = Pgd(Threat(Norm.LINF, eps / 255), args.steps, eps / 255 / 4)
    return ColaRun(
        exam,
        subject,
        Attackers(classifier, Variation(modality, settings.views, settings.keep), pgd),
        Defences(anchors.prompts, anchors.matrix, subject.scale, settings, Gate(margin=args.margin)),
        args.batch,
        args.out / "parts",
    )


def table_of(found: ColaEvaluation) -> Table:
    samples, attacker, cola = found.samples, found.attacker, found.cola
    seconds = sum(each.seconds for each in found.outcomes)
    table = Table(
        title=f"{found.modality}, {samples.label_set}, {found.subject.name}: {samples.count} {samples.part} "
        f"samples of {samples.name}, L-inf {attacker.eps * 255:g}/255 of {samples.domain}, "
        f"PGD {attacker.steps}, {cola.views} views that keep {cola.keep:g}, margin {cola.margin:g}; "
        f"{seconds:.0f} s"
    )
    for heading in ("", *ATTACKS, WORST):
        table.add_column(heading, justify="right" if heading else "left")
    cells = {(each.defence, each.attack): each for each in found.cells()}
    for defence in DEFENCES:
        row = []
        for attack in (*ATTACKS, WORST):
            cell = cells.get((defence, attack))
            share = None if cell is None else cell.accuracy
            opened = "" if cell is None or cell.opened is None else f"\nopen {cell.opened:.0%}"
            row.append(
                "" if share is None else f"{share.value:.1%}\n[{share.low:.1%}, {share.high:.1%}]{opened}"
            )
        table.add_row(defence, *row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--name", required=True, help="of the encoder, for tables")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--text", type=Path, default=ROOT / "export" / "checkpoints" / "tiny" / "text")
    parser.add_argument("--labels", type=Path, default=ROOT / "calibration" / "labels")
    parser.add_argument("--label-set")
    parser.add_argument("--part", type=Part, default=Part.TEST)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--eps", type=float, nargs="+", default=[1.0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precision", choices=PRECISIONS, default="bfloat16", help="while attacked")
    parser.add_argument("--views", type=int, default=ColaSettings.views)
    parser.add_argument("--keep", type=float, default=ColaSettings.keep)
    parser.add_argument("--margin", type=float, default=Gate.margin)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for eps in args.eps:
        run = run_of(args, eps)
        found = run.compute(lambda done, total: print(f"{done} of {total}", flush=True))
        samples = found.samples
        name = f"cola-{found.modality}-{samples.label_set}-{args.name}-{eps:g}.json"
        write_evaluation(found, args.out / name)
        Console(width=170).print(table_of(found))


if __name__ == "__main__":
    main()
