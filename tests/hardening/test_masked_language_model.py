# SPDX-License-Identifier: Apache-2.0
"""Substitutes from a masked language model of random weights, against its own logits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.hardening.attacks.text.masked_language_model import MaskedLanguageModel

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "photo",
    "of",
    "cat",
    "dog",
    "fish",
    "##s",
    "##ing",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT on the disk."""
    transformers = pytest.importorskip("transformers")
    try:
        from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast
    except Exception as error:  # whatever another package that it imports breaks with
        pytest.skip(f"transformers {transformers.__version__} cannot load BERT here: {error}")
    place = tmp_path_factory.mktemp("bert")
    (place / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=1.0,
    )
    BertForMaskedLM(config).save_pretrained(place)
    BertTokenizerFast(str(place / "vocab.txt")).save_pretrained(place)
    return place


def test_substitutes_are_the_likeliest_words_above_the_threshold(folder: Path) -> None:
    model = MaskedLanguageModel.open(folder, top=6, threshold=0.0)
    sentence = ("a", "photo", "of", "cat")
    found = model([sentence, (), ("dog",)])
    ids = torch.tensor([[VOCABULARY.index(each) for each in ("[CLS]", *sentence, "[SEP]")]])
    with torch.no_grad():
        logits = model.model(ids).logits[0]
    for place in range(4):
        ranked = sorted(range(len(VOCABULARY)), key=lambda each: -float(logits[place + 1, each]))[:6]
        expected = [
            VOCABULARY[each] for each in ranked if logits[place + 1, each] >= 0 and VOCABULARY[each].isalpha()
        ]
        assert list(found[0][place]) == expected
    assert found[1] == []
    assert len(found[2]) == 1


def test_a_word_of_two_pieces_becomes_a_whole_word(folder: Path) -> None:
    model = MaskedLanguageModel.open(folder, top=len(VOCABULARY))
    ((words,),) = model([("cats",)])
    assert len(words) == 4 * 2  # the likeliest four of the six beginnings, with both endings
    assert {word.removesuffix("s").removesuffix("ing") for word in words} <= set(VOCABULARY)


def test_words_behind_the_last_piece_get_none(folder: Path) -> None:
    (found,) = MaskedLanguageModel.open(folder, max_length=4)([("cat", "dog", "fish", "fish")])
    assert found[2:] == [(), ()]


def test_a_folder_without_a_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no masked language model"):
        MaskedLanguageModel.open(tmp_path)


def test_without_transformers_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install"):
        MaskedLanguageModel.open(tmp_path)
