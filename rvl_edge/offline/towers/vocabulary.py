# SPDX-License-Identifier: Apache-2.0
"""CLIP's byte-pair encoding, with its vocabulary whole or shortened, as a Hugging Face `tokenizer.json`.

A shortened vocabulary keeps the first merges of CLIP's list, which are the most frequent: common words stay
whole, all others fall into more pieces, and any text can still be told from any other.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import open_clip.tokenizer
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

START, END = "<|startoftext|>", "<|endoftext|>"
CLIP_VOCABULARY_SIZE = 49_408

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PLAIN = {  # what the reference makes of them before it lower-cases, by ftfy and by Python
    r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]": "",
    r"[\u02bc\u2018-\u201b]": "'",
    r"[\u201c-\u201f]": '"',
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "\u017ft",
    "\ufb06": "st",
    r"(?<=\p{L})\u03a3(?!\p{L})": "\u03c2",  # a sigma that ends a word has a small letter of its own
}
_BYTES_AND_FRAME = 2 * 256 + 2  # each byte inside a word and at its end, START, END


def build_tokenizer(vocabulary_size: int = CLIP_VOCABULARY_SIZE) -> Tokenizer:
    """Tokenizer over the first `vocabulary_size` - 514 merges; the last two ids are START and END.

    With the full size its ids are CLIP's own (Radford et al. 2021).
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
    return clip_tokenizer({word: index for index, word in enumerate(words)}, merges)


def clip_tokenizer(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """CLIP's encoding over any vocabulary that has all bytes, START and END.

    CLIP's reference mends texts with ftfy before it reads them. Curly quotes, ligatures and control
    characters are read as it reads them; wrongly decoded texts, full-width letters and HTML entities are
    taken as they are.
    """
    tokenizer = Tokenizer(
        models.BPE(dict(vocabulary), list(merges), end_of_word_suffix="</w>", unk_token=END, fuse_unk=False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            *(normalizers.Replace(Regex(pattern), plain) for pattern, plain in _PLAIN.items()),
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
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
