# SPDX-License-Identifier: Apache-2.0
"""The tokenizer that belongs to a checkpoint folder's text encoder."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.card import EncoderCard, TextCard
from rvl_edge.offline.towers.clip_config import OPEN_CLIP_CONFIG_NAME, read_folder_config
from rvl_edge.offline.towers.vocabulary import (
    CLIP_VOCABULARY_SIZE,
    END,
    START,
    build_tokenizer,
    clip_tokenizer,
)

TOKENIZER_NAME, VOCABULARY_NAME, MERGES_NAME = "tokenizer.json", "vocab.json", "merges.txt"


def read_tokenizer(folder: Path) -> str:
    """Content of a Hugging Face `tokenizer.json` for the folder's text encoder.

    It is the folder's own, or made from its `vocab.json` and `merges.txt`, or CLIP's in an open_clip folder.

    Raises:
        CheckpointError: no tokenizer, one that cannot be read, or one of another vocabulary than the text
            encoder's.
    """
    config = read_folder_config(folder)
    if isinstance(config, EncoderCard):
        raise CheckpointError(f"{folder} holds no text encoder, so no tokenizer")
    card = config if isinstance(config, TextCard) else config.text
    try:
        tokenizer = _found(folder, card)
    except Exception as error:  # the Rust side raises bare Exception
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the tokenizer of {folder} cannot be read", got=repr(error)) from None
    _check_frame(tokenizer, card, folder)
    return tokenizer.to_str()


def _found(folder: Path, card: TextCard) -> Tokenizer:
    if (folder / TOKENIZER_NAME).is_file():
        return Tokenizer.from_str((folder / TOKENIZER_NAME).read_text(encoding="utf-8"))
    if (folder / VOCABULARY_NAME).is_file() and (folder / MERGES_NAME).is_file():
        return _from_lists(folder / VOCABULARY_NAME, folder / MERGES_NAME)
    if (folder / OPEN_CLIP_CONFIG_NAME).is_file() and card.text_config.vocab_size == CLIP_VOCABULARY_SIZE:
        return build_tokenizer()
    raise CheckpointError(
        "the checkpoint has no tokenizer",
        got=folder,
        expected=f"{TOKENIZER_NAME}, or {VOCABULARY_NAME} and {MERGES_NAME}",
    )


def _from_lists(vocabulary: Path, merges: Path) -> Tokenizer:
    lines = merges.read_text(encoding="utf-8").split("\n")  # splitlines would cut at symbols that are bytes
    merged = (line.partition(" ") for line in lines if line and not line.startswith("#version"))
    pairs = [(left, right) for left, _, right in merged]
    return clip_tokenizer(json.loads(vocabulary.read_text(encoding="utf-8")), pairs)


def _check_frame(tokenizer: Tokenizer, card: TextCard, folder: Path) -> None:
    """The text tower pools at the largest id, which has to be END's."""
    size = card.text_config.vocab_size
    if tokenizer.token_to_id(START) is None or tokenizer.token_to_id(END) != size - 1:
        raise CheckpointError(
            f"the tokenizer of {folder} is not of its text encoder's vocabulary",
            got=f"{END} at {tokenizer.token_to_id(END)} of {tokenizer.get_vocab_size()}",
            expected=f"{END} at {size - 1} of {size} (text_config.vocab_size)",
        )
