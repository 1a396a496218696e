# SPDX-License-Identifier: Apache-2.0
"""What is written comes back exactly, and a disk that fills up leaves what was there."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from published_folders import image_folder
from small_cards import image_card, randomised, text_card, video_card

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, TextEncoder, open_checkpoint, open_text, save_checkpoint


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """A stand-in for a full disk: writing beyond `size` bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("card", [image_card(), video_card(), text_card()])
def test_the_round_trip_rounds_once(tmp_path: Path, card: object, dtype: torch.dtype) -> None:
    kind = TextEncoder if card == text_card() else Encoder
    wrote = randomised(kind(card))
    save_checkpoint(wrote, tmp_path / "once", dtype=dtype)
    read = open_checkpoint(tmp_path / "once")
    assert read.card == wrote.card
    for name, value in wrote.state_dict().items():
        assert torch.equal(read.state_dict()[name], value.to(dtype).float()), name
    save_checkpoint(read, tmp_path / "twice", dtype=dtype)
    once, twice = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("once", "twice"))
    assert once == twice


def test_an_encoder_may_replace_the_file_it_was_read_from(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "image")
    encoder = open_checkpoint(folder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    save_checkpoint(encoder, folder, dtype=torch.float32)
    again = open_checkpoint(folder).state_dict()
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(again[name], before[name])


@pytest.mark.parametrize("size", [0, 100, 5_000])
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "out" / "text"
    save_checkpoint(randomised(TextEncoder(text_card()), seed=1), folder, tokenizer="old")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with _files_of_at_most(size), pytest.raises(CheckpointError, match="could not be written"):
        save_checkpoint(randomised(TextEncoder(text_card()), seed=2), folder, tokenizer="new")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["text"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="could not be written"):
        save_checkpoint(Encoder(image_card()), tmp_path / "file" / "image")


def test_weights_beyond_float16_are_refused_by_name(tmp_path: Path) -> None:
    encoder = randomised(Encoder(image_card()))
    with torch.no_grad():
        encoder.visual_projection.weight[3, 3] = 1e5
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight.*float16: got up to 1e\+05"):
        save_checkpoint(encoder, tmp_path / "image")
    assert not (tmp_path / "image").exists()
    save_checkpoint(encoder, tmp_path / "image", dtype=torch.float32)


def test_the_text_half_of_a_full_checkpoint_stands_alone(tmp_path: Path) -> None:
    text = open_text(image_folder(tmp_path / "image"))
    save_checkpoint(text, tmp_path / "text", tokenizer="{}", dtype=torch.float32)
    for name, value in open_text(tmp_path / "text").state_dict().items():
        assert torch.equal(value, text.state_dict()[name])
