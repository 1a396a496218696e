# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge calibrate collect` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from command_line import CommandLine


def test_what_was_collected_is_printed_and_there(rvl_edge: CommandLine, tmp_path: Path) -> None:
    for label, count in {"car": 3, "dog": 1}.items():
        folder = tmp_path / "yard" / label
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((8, 8, 3), 40 * number, np.uint8))
    arguments = (
        "calibrate",
        "collect",
        "yard",
        "--modality",
        "image",
        "--count",
        2,
        "--out",
        "out",
        "--json",
    )
    done = rvl_edge(*arguments)
    assert done.code == 0, done.err
    found = done.document
    assert (found["samples"], found["offered"], found["labels"]) == (2, 4, {"car": 1, "dog": 1})
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    manifest = json.loads((tmp_path / "out/samples.json").read_text())
    assert {each["source"] for each in manifest["samples"]} == {"yard"}
