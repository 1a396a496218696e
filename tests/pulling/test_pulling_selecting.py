# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.pulling.selecting import select_files

CONFIG = "config.json"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model.safetensors", "pytorch_model.bin", *SHARDS], ["model.safetensors"]),
        (["pytorch_model.bin", "optimizer.bin", "training_args.bin"], ["pytorch_model.bin"]),
        (
            [*SHARDS, "model.safetensors.index.json", "pytorch_model.bin"],
            [*SHARDS, "model.safetensors.index.json"],
        ),
        (
            ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin", "model.fp16.safetensors"],
            ["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"],
        ),
        (["open_clip_pytorch_model.bin", "tf_model.h5"], ["open_clip_pytorch_model.bin"]),
        (["open_clip_model.safetensors", "pytorch_model.bin"], ["open_clip_model.safetensors"]),
    ],
)
def test_one_set_of_weights_is_chosen(names: list[str], expected: list[str]) -> None:
    assert select_files([CONFIG, *names], "a/b") == tuple(sorted([CONFIG, *expected]))


def test_tokenizer_card_and_licence_come_along_and_nothing_of_folders() -> None:
    beside = [
        "LICENSE.txt",
        "NOTICE",
        "README.md",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ]
    others = [
        "onnx/model.onnx",
        "onnx/config.json",
        "coreml/model.safetensors",
        "events.out.tfevents.1",
        "run.py",
    ]
    names = [CONFIG, "model.safetensors", *beside, *others]
    assert select_files(names, "a/b") == tuple(sorted([CONFIG, "model.safetensors", *beside]))


@pytest.mark.parametrize(
    "names", [[], [CONFIG], ["model.safetensors"], [CONFIG, *SHARDS], ["sub/config.json"]]
)
def test_a_repository_that_holds_no_checkpoint_is_refused(names: list[str]) -> None:
    with pytest.raises(CheckpointError, match="a/b holds no checkpoint"):
        select_files(names, "a/b")
