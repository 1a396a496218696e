# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' random checkpoints: every layout loads, and all of them hold the same numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rvl_edge.offline.towers import inspect_checkpoint, open_checkpoint, read_tokenizer, text_fingerprint

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "random_checkpoint.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("random_checkpoint", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_layouts_of_one_card_and_seed(script: ModuleType, tmp_path: Path) -> None:
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = {}
    for layout in script.LAYOUTS:
        script.write("tiny-image", tmp_path / layout, layers=1, layout=layout, seed=4)
        with torch.no_grad():
            seen[layout] = open_checkpoint(tmp_path / layout).encode(pixels)
    assert torch.equal(seen["hf"], seen["sharded"])
    assert torch.equal(seen["hf"], seen["bin"])
    assert torch.equal(seen["hf"], seen["open_clip"])
    assert torch.equal(seen["lora-old"], seen["lora-new"])
    assert (seen["hf"] - seen["lora-old"]).abs().max() > 1e-4
    assert len({text_fingerprint(tmp_path / layout) for layout in script.LAYOUTS}) == 1


@pytest.mark.parametrize(("card", "layout"), [("tiny-video", "lora-old"), ("tiny-audio", "hf")])
def test_the_card_comes_back(script: ModuleType, tmp_path: Path, card: str, layout: str) -> None:
    script.write(card, tmp_path, layers=1, layout=layout)
    report = inspect_checkpoint(tmp_path)
    assert report.encoder.vision_config.num_hidden_layers == 1
    assert report.encoder.modality.value == card.removeprefix("tiny-")
    assert (report.lora is None) == (layout == "hf")
    assert "<|endoftext|>" in read_tokenizer(tmp_path)
    for value in open_checkpoint(tmp_path).state_dict().values():
        assert value.abs().max() > 0
