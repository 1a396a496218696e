# SPDX-License-Identifier: Apache-2.0
"""What is kept of the reference in `tests/data/languagebind`, and checkpoints made again from it.

Of every case: its config.json, the names and shapes of its state dict, and the embeddings in `<case>.npz`.
The weights are not stored: they are drawn again from those names and shapes. `preprocessing.npz` holds some
pixels of each sample's model input, `text.npz` token ids and embeddings.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import seeded
import torch
from lora_styles import State, merged, old_style
from reference_layouts import GOLDEN
from reference_samples import thinned

DATA = Path(__file__).resolve().parents[1] / "data" / "languagebind"
STYLES = ("as written", "old peft", "merged")

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(name: str) -> Arrays:
    """Arrays of `DATA/<name>.npz`: of a case, of `preprocessing` or of `text`."""
    with np.load(DATA / f"{name}.npz") as stored:
        return dict(stored)


def seeded_state(source: Path) -> State:
    """The weights of a checkpoint whose names and shapes `source` lists, as the reference was given them."""
    shapes = json.loads((source / "state_dict.json").read_text())
    return {key: torch.from_numpy(seeded.weight(key, tuple(shape))) for key, shape in shapes.items()}


def write_checkpoint(source: Path, folder: Path, state: State | None = None, style: str = STYLES[0]) -> Path:
    """Fill `folder` with the config.json of `source` and a pytorch_model.bin, LoRA in one of `STYLES`."""
    state = seeded_state(source) if state is None else state
    config = json.loads((source / "config.json").read_text())
    if style == "old peft":
        state = old_style(state)
    if style == "merged":
        state = merged(state, config["vision_config"]["lora_alpha"])
        config["vision_config"]["lora_r"] = 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(state, folder / "pytorch_model.bin")
    return folder


def store(folder: Path) -> None:
    """Keep what the reference wrote for every case of `GOLDEN` under `folder`."""
    inputs: Arrays = {}
    for name, case in GOLDEN.items():
        with np.load(folder / name / "reference.npz") as written:
            arrays = dict(written)
        (DATA / name).mkdir(parents=True, exist_ok=True)
        for file in ("config.json", "state_dict.json"):
            shutil.copy(folder / name / "checkpoint" / file, DATA / name)
        for key in [key for key in arrays if key.startswith("input/")]:
            inputs[f"{case.published.modality}/{key.removeprefix('input/')}"] = thinned(arrays.pop(key))
        text = {key: arrays.pop(key) for key in ("ids", "text")}
        if name == "image":
            np.savez_compressed(DATA / "text.npz", **text)
        np.savez_compressed(DATA / f"{name}.npz", **arrays)
    np.savez_compressed(DATA / "preprocessing.npz", **inputs)
