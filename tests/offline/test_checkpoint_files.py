# SPDX-License-Identifier: Apache-2.0
"""Files of weights: every format gives the same tower, and a damaged or hostile one is refused by name."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published_folders import (
    INDEX,
    config_of,
    image_folder,
    image_weights,
    pictures,
    write_config,
    write_index,
    write_pickle,
    write_safetensors,
    write_shards,
)
from small_cards import image_card, randomised
from torch import Tensor

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, inspect_checkpoint, open_checkpoint, open_text, text_fingerprint

SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with a config and no weights."""
    return write_config(tmp_path / "image", config_of(image_card()))


@pytest.fixture
def sharded(bare: Path) -> Path:
    write_shards(bare, image_weights())
    return bare


def _old_pickle(folder: Path, weights: dict[str, Tensor]) -> None:
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def _sharded_pickle(folder: Path, weights: dict[str, Tensor]) -> None:
    names = sorted(weights)
    places = {name: f"pytorch_model-{at % 2}.bin" for at, name in enumerate(names)}
    for shard in set(places.values()):
        torch.save({name: weights[name] for name in names if places[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))


def _wrapped_pickle(folder: Path, weights: dict[str, Tensor]) -> None:
    torch.save({"epoch": 3, "state_dict": weights}, folder / "step_20000.pt")


@pytest.mark.parametrize(
    "write", [write_safetensors, write_shards, write_pickle, _sharded_pickle, _old_pickle, _wrapped_pickle]
)
def test_every_format_gives_the_same_tower(bare: Path, write: Callable[..., None]) -> None:
    write(bare, image_weights())
    encoder = open_checkpoint(bare)
    with torch.no_grad():
        expected = randomised(Encoder(image_card()), seed=1).encode(pictures())
        assert torch.equal(encoder.encode(pictures()), expected)
    assert not encoder.training
    assert all(parameter.requires_grad and not parameter.is_meta for parameter in encoder.parameters())


def test_pickled_parameters_are_weights(bare: Path) -> None:
    write_pickle(bare, {name: torch.nn.Parameter(value) for name, value in image_weights().items()})
    assert isinstance(open_checkpoint(bare), Encoder)
    pickled = text_fingerprint(bare)
    assert pickled == text_fingerprint(image_folder(bare))


def test_safetensors_come_before_pickles(bare: Path) -> None:
    (bare / "pytorch_model.bin").write_bytes(b"not even looked at")
    write_safetensors(bare, image_weights())
    assert isinstance(open_checkpoint(bare), Encoder)


def test_half_of_the_memory_is_read(bare: Path) -> None:
    """The text tower's numbers are not looked at when the sense's are asked for, nor the other way round."""
    weights = image_weights()
    weights["text_projection.weight"][0, 0] = torch.nan
    write_safetensors(bare, weights)
    open_checkpoint(bare)
    with pytest.raises(CheckpointError, match=r"text_projection\.weight is not finite"):
        open_text(bare)


def test_a_learning_encoder_leaves_its_file_alone(bare: Path) -> None:
    image_folder(bare)
    before = (bare / "model.safetensors").read_bytes()
    encoder = open_checkpoint(bare)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
    del encoder
    assert (bare / "model.safetensors").read_bytes() == before


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_code_is_refused_and_not_run(bare: Path, tmp_path: Path) -> None:
    torch.save({"logit_scale": _Hostile(tmp_path / "ran")}, bare / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="code in a checkpoint is never run") as error:
        open_checkpoint(bare)
    assert "mkdir" in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_plain_pickle_with_code_is_not_run(bare: Path, tmp_path: Path) -> None:
    (bare / "pytorch_model.bin").write_bytes(pickle.dumps(_Hostile(tmp_path / "ran"), protocol=2))
    with pytest.raises(CheckpointError):
        open_checkpoint(bare)
    assert not (tmp_path / "ran").exists()


def _saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "damaged or cut short"),
        (b"\xff" * 200, "damaged or cut short"),
        (_saved({"a": torch.zeros(5000)})[:9000], "damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (_saved([torch.zeros(2)]), "got list, expected a state dict"),
        (_saved({}), "holds no weights"),
        (_saved({1: torch.zeros(2)}), "holds no weights"),
        (_saved({"logit_scale": 4.6, "b": torch.zeros(2)}), "logit_scale is of type float"),
        (_saved({"a": torch.eye(4).to_sparse()}), "a is a sparse"),
        (_saved({"a": torch.empty(4, device="meta")}), "a is a sparse, quantised or empty tensor"),
    ],
)
def test_pickles_that_are_no_weights(bare: Path, content: bytes, told: str) -> None:
    (bare / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(bare)


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.99])
def test_a_truncated_shard_is_named(sharded: Path, kept: float) -> None:
    content = (sharded / SHARD).read_bytes()
    (sharded / SHARD).write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(CheckpointError, match=f"{SHARD} is damaged or cut short"):
        open_checkpoint(sharded)


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / SHARD).unlink()
    with pytest.raises(CheckpointError, match=f"not there: got {SHARD}"):
        open_checkpoint(sharded)


@pytest.mark.parametrize(
    "outside", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", ""]
)
def test_an_index_stays_in_its_folder(sharded: Path, outside: str) -> None:
    places = json.loads((sharded / INDEX).read_text())["weight_map"]
    write_index(sharded, places | {"logit_scale": outside})
    write_safetensors(sharded.parent, {"logit_scale": torch.zeros(())})
    with pytest.raises(CheckpointError, match=r"outside its folder|not there"):
        open_checkpoint(sharded)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', '{"weight_map": {}}']
)
def test_an_index_that_is_none(sharded: Path, content: str) -> None:
    (sharded / INDEX).write_text(content)
    with pytest.raises(CheckpointError, match=INDEX):
        open_checkpoint(sharded)


def test_an_index_that_disagrees_with_its_shards(sharded: Path) -> None:
    places = json.loads((sharded / INDEX).read_text())["weight_map"]
    swapped = {**places, "invented": SHARD}
    del swapped["logit_scale"]
    write_index(sharded, swapped)
    with pytest.raises(CheckpointError, match="disagrees") as error:
        open_checkpoint(sharded)
    assert f"invented is not in {SHARD}" in str(error.value)
    assert f"logit_scale of {places['logit_scale']} is not listed" in str(error.value)


def test_several_files_of_no_known_name_are_not_guessed_at(bare: Path) -> None:
    for name in ("fare2.pt", "fare4.pt"):
        torch.save(image_weights(), bare / name)
    with pytest.raises(CheckpointError, match=r"fare2\.pt, fare4\.pt"):
        open_checkpoint(bare)


def test_no_weights_at_all(bare: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights"):
        inspect_checkpoint(bare)


def test_one_text_tower_has_one_fingerprint(tmp_path: Path) -> None:
    """However it is filed, and in whichever float type that holds its numbers; unless a number differs."""
    weights = {name: value.half() for name, value in image_weights().items()}
    prints = []
    for at, (write, kind) in enumerate([(write_safetensors, torch.half), (write_shards, torch.float32)]):
        folder = write_config(tmp_path / str(at), config_of(image_card()))
        write(folder, {name: value.to(kind) for name, value in weights.items()})
        prints.append(text_fingerprint(folder))
    assert prints[0] == prints[1]
    weights["visual_projection.weight"][0, 0] += 1
    write_safetensors(tmp_path / "0", weights)
    assert text_fingerprint(tmp_path / "0") == prints[0]
    weights["text_model.final_layer_norm.bias"][3] += 1
    write_safetensors(tmp_path / "0", weights)
    assert text_fingerprint(tmp_path / "0") != prints[0]


def test_memory_is_that_of_one_tower(tmp_path: Path) -> None:
    """Opening costs at most the encoder and a little, not the file and a copy of it."""
    card = image_card(hidden_size=1024, intermediate_size=4096, num_hidden_layers=4)
    folder = write_config(tmp_path / "wide", config_of(card))
    with torch.device("meta"):
        shapes = Encoder(card).state_dict()
    write_safetensors(folder, {name: torch.zeros(value.shape) for name, value in shapes.items()})
    size = (folder / "model.safetensors").stat().st_size
    script = (
        "import resource, sys, torch; from pathlib import Path\n"
        "from rvl_edge.offline.towers import open_checkpoint\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = used(); encoder = open_checkpoint(Path(sys.argv[1])); print(used() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.4 * size
