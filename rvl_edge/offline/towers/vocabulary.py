# SPDX-License-Identifier: Apache-2.0
"""CLIP's byte-pair vocabulary, whole or shortened, as a Hugging Face `tokenizer.json`.

A shortened vocabulary keeps the first merges of CLIP's list, which are the most frequent: common words stay
whole, all others fall into more pieces, and any text can still be told from any other.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import open_clip.tokenizer
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

START, END = "<|startoftext|>", "<|endoftext|>"
CLIP_VOCABULARY_SIZE = 49_408

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BYTES_AND_FRAME = 2 * 256 + 2  # each byte inside a word and at its end, START, END


def build_tokenizer(vocabulary_size: int = CLIP_VOCABULARY_SIZE) -> Tokenizer:
    """Tokenizer over the first `vocabulary_size` - 514 merges; the last two ids are START and END.

    With the full size its ids are CLIP's own (Radford et al. 2021), but for texts that CLIP's reference
    first mends with ftfy: wrongly decoded ones, ligatures and HTML entities are taken here as they are.
    """
    symbols = list(open_clip.tokenizer.bytes_to_unicode().values())
    merges = _clip_merges()[: vocabulary_size - _BYTES_AND_FRAME]
    words = [
        *symbols,
        *(symbol + "</w>" for symbol in symbols),
        *("".join(pair) for pair in merges),
        START,
        END,
    ]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=END, fuse_unk=False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens([START, END])
    return tokenizer


def _clip_merges() -> list[tuple[str, str]]:
    lines = gzip.decompress(Path(open_clip.tokenizer.default_bpe()).read_bytes()).decode("utf-8").split("\n")
    pairs = (line.split() for line in lines[1 : CLIP_VOCABULARY_SIZE - _BYTES_AND_FRAME + 1])
    return [(left, right) for left, right in pairs]
