# SPDX-License-Identifier: Apache-2.0
"""`make parity`: every published layout against the reference, and the golden numbers anew.

For each case the reference, in its own environment, writes a checkpoint and what it makes of the samples
(`reference.py`); this side opens the same checkpoint and is compared with it. Exit code 1 if anything is
further apart than stated in `LIMITS`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import golden
import numpy as np
import seeded
from our_side import apart, embed, preprocess
from reference_layouts import GOLDEN, SETS, Case
from reference_samples import TEXTS, samples

from rvl_edge.offline.towers import Encoder, open_checkpoint, open_text
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.text.tokenizer import Tokenizer

HERE = Path(__file__).resolve().parent
REFERENCE_PYTHON = HERE.parents[1] / ".venv-parity" / "bin" / "python"


@dataclass(frozen=True)
class Row:
    """What one case was found to differ in.

    Attributes:
        tower: largest difference of unit-norm embeddings of the same model inputs.
        text: the same of texts; infinite where the token ids differ.
        lora: the same between LoRA as filed by new and by old peft, and merged into the weights.
        input_max: largest difference of a preprocessed model input.
        input_mean: largest mean difference of one.
        end: as tower, each side from the sample on.
    """

    tower: float
    text: float
    lora: float
    input_max: float
    input_mean: float
    end: float


LIMITS = Row(tower=1e-5, text=1e-5, lora=1e-6, input_max=1e-3, input_mean=1e-5, end=1e-5)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="full-width")
    parser.add_argument("--only", nargs="+", help="cases of the set")
    parser.add_argument("--store", action="store_true", help="write the golden numbers of tests/data anew")
    parser.add_argument("--scratch", type=Path, help="folder for checkpoints, up to 2 GB at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        return store(Path(scratch)) if options.store else compare(options, Path(scratch))


def store(scratch: Path) -> int:
    for name in GOLDEN:
        run_reference("golden", name, scratch)
    golden.store(scratch)
    return 0


def compare(options: argparse.Namespace, scratch: Path) -> int:
    columns = [field.name for field in fields(Row)]
    print(f"{'case':20}{'layers':>8}", *(f"{column:>10}" for column in columns))
    missed = False
    for name, case in SETS[options.set].items():
        if options.only and name not in options.only:
            continue
        folder = run_reference(options.set, name, scratch)
        row = measure(case, folder)
        shutil.rmtree(folder)
        layers = "+".join(map(str, case.layers))
        print(f"{name:20}{layers:>8}", *map(shown, astuple(row)), flush=True)
        missed |= any(value > limit for value, limit in zip(astuple(row), astuple(LIMITS), strict=True))
    print("missed" if missed else "within", "the limits:", *map(shown, astuple(LIMITS)))
    return int(missed)


def shown(value: float) -> str:
    return f"{value:>10.1e}"


def run_reference(chosen: str, name: str, scratch: Path) -> Path:
    """Have the reference write one case; returns its folder."""
    vocabulary = scratch / "vocabulary"
    if not vocabulary.exists():
        vocabulary.mkdir()
        build_tokenizer().model.save(str(vocabulary))
    folder = scratch / name
    command = [REFERENCE_PYTHON, "-W", "ignore", HERE / "reference.py", folder, vocabulary, chosen, name]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        sys.exit(f"the reference failed on {name}:\n{outcome.stderr}")
    return folder


def measure(case: Case, folder: Path) -> Row:
    """Open the reference's checkpoint and compare what comes out."""
    with np.load(folder / "reference.npz") as written:
        theirs = dict(written)
    encoder = open_checkpoint(folder / "checkpoint")
    assert isinstance(encoder, Encoder)
    tower = apart(embed(encoder, seeded.model_input(case.published.input_shape())), theirs["tower"])

    maxima, means, ends = [], [], []
    for sample in samples(case.published.modality):
        pixels = preprocess(sample, encoder.card.preprocess)
        difference = np.abs(pixels - theirs[f"input/{sample.name}"])
        maxima.append(float(difference.max()))
        means.append(float(difference.mean()))
        ends.append(apart(embed(encoder, pixels[None])[0], theirs[f"embedding/{sample.name}"]))
    ids = Tokenizer(build_tokenizer().to_str().encode(), 77)(TEXTS)
    text = open_text(folder / "checkpoint")
    same = np.array_equal(ids, theirs["ids"])
    return Row(
        tower=tower,
        text=apart(embed(text, ids), theirs["text"]) if same else float("inf"),
        lora=lora_difference(case, folder),
        input_max=max(maxima),
        input_mean=max(means),
        end=max(ends),
    )


def lora_difference(case: Case, folder: Path) -> float:
    """How far apart the embeddings of the forms of one LoRA checkpoint are."""
    if not case.published.lora_r:
        return 0.0
    source, pixels = folder / "checkpoint", seeded.model_input(case.published.input_shape())
    state = golden.seeded_state(source)
    first, *others = (
        embed(open_checkpoint(golden.write_checkpoint(source, folder / style, state, style)), pixels)
        for style in golden.STYLES
    )
    return max(apart(first, other) for other in others)


if __name__ == "__main__":
    sys.exit(main())
