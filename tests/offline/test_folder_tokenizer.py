# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a checkpoint folder, against open_clip's ids."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip.tokenizer
import pytest
import torch
from published_folders import config_of, write_config
from small_cards import image_card, text_card

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import TextEncoder, read_tokenizer, save_checkpoint
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.text.tokenizer import Tokenizer

NASTY = [
    "a photo of a dog",
    "don’t “quote” ‘me’ ‚low‛ „marks‟ rockʼn’roll",
    "ﬁne ﬂow oﬃce waﬄe eﬀort ﬅ ﬆ",
    "null\x00 escape\x1b[0m delete\x7f bell\x07 file\x1cseparator",
    "\ufeffbyte order mark, zero\u200bwidth, soft\u00adhyphen, no\u00a0break",
    "line\u2028and\u2029paragraph\r\n\ttabs  spaces",
    "cafe\u0301 e\u0301\u0302 Å Å Ω 한국어",
    "ΟΔΥΣΣΕΥΣ Σ İI ı ß ẞ",
    "हिन्दी ไทย कम्प्यूटर عربى עברית",
    "🐶👩‍👩‍👧🏽🇩🇪 𝓗𝓮𝓵𝓵𝓸 ½ Ⅷ ² ① 〇 1٣४",
    "_under_ a.b.c ... — – … 'S 'LL 'tis I'd've",
    "é" * 60,
    "x" * 300,
    "word " * 200,
    "",
    " \n ",
]


def _config(vocabulary: int = 49408) -> dict[str, object]:
    config = config_of(image_card())
    config["text_config"] |= {"vocab_size": vocabulary, "max_position_embeddings": 77}
    return config


def _write_lists(folder: Path, size: int = 49408) -> None:
    """`vocab.json` and `merges.txt` from open_clip's list, as transformers' CLIPTokenizer keeps them."""
    reference = open_clip.tokenizer.SimpleTokenizer()
    words = {word: at for word, at in reference.encoder.items() if at < 49406}
    words |= {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
    (folder / "vocab.json").write_text(json.dumps(dict(list(words.items())[-size:])), encoding="utf-8")
    lines = [" ".join(pair) for pair in sorted(reference.bpe_ranks, key=reference.bpe_ranks.__getitem__)]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_config(tmp_path_factory.mktemp("published"), _config())
    _write_lists(folder)
    return folder


@pytest.fixture(scope="module")
def made(published: Path) -> Tokenizer:
    return Tokenizer(read_tokenizer(published).encode(), 77)


@pytest.mark.parametrize("text", NASTY)
def test_lists_give_open_clips_ids(made: Tokenizer, text: str) -> None:
    expected = open_clip.tokenize([text])[0]
    ids = torch.from_numpy(made([text])[0])
    end = int(expected.argmax())  # what follows differs: CLIP's 0 against the end's id, and changes nothing
    assert torch.equal(ids[: end + 1], expected[: end + 1])
    assert (ids[end:] == 49407).all()


def test_a_tokenizer_json_is_taken_as_it_is(published: Path, tmp_path: Path) -> None:
    _write_lists(write_config(tmp_path, _config()))
    own = build_tokenizer()
    own.no_padding()
    own.add_tokens([])
    content = json.loads(own.to_str())
    content["normalizer"] = {"type": "Lowercase"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert json.loads(read_tokenizer(tmp_path)) == content


def test_an_open_clip_folder_has_clips_own(tmp_path: Path, made: Tokenizer) -> None:
    sizes = {"embed_dim": 24, "vision_cfg": {"width": 64}, "text_cfg": {"vocab_size": 49408}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": sizes}))
    tokenizer = Tokenizer(read_tokenizer(tmp_path).encode(), 77)
    assert (tokenizer(NASTY) == made(NASTY)).all()


def test_a_text_encoder_written_here_keeps_its_own(tmp_path: Path) -> None:
    own = build_tokenizer(700).to_str()
    save_checkpoint(TextEncoder(text_card()), tmp_path / "text", tokenizer=own)
    assert json.loads(read_tokenizer(tmp_path / "text")) == json.loads(own)


def test_a_tokenizer_of_another_vocabulary(published: Path, tmp_path: Path) -> None:
    write_config(tmp_path, _config(vocabulary=49409))
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((published / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"<\|endoftext\|> at 49407 of 49408.*49408 of 49409"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", "{"),
        ("vocab.json", '["a"]'),
        ("vocab.json", '{"a": "b"}'),
        ("merges.txt", "#version: 0.2\nnever heard\n"),
        ("merges.txt", "#version: 0.2\nalone\n"),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "\x00"),
    ],
)
def test_files_that_are_no_tokenizer(published: Path, tmp_path: Path, name: str, content: str) -> None:
    write_config(tmp_path, _config())
    for each in ("vocab.json", "merges.txt"):
        (tmp_path / each).write_bytes((published / each).read_bytes())
    (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError, match="tokenizer"):
        read_tokenizer(tmp_path)


def test_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no tokenizer.*vocab\.json and merges\.txt"):
        read_tokenizer(write_config(tmp_path, _config()))


def test_a_sense_alone_has_none(tmp_path: Path) -> None:
    write_config(tmp_path, image_card().model_dump(mode="json", by_alias=True))
    with pytest.raises(CheckpointError, match="no text encoder"):
        read_tokenizer(tmp_path)
