# SPDX-License-Identifier: Apache-2.0
"""Which files of a repository a checkpoint needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rvl_edge.errors import CheckpointError

_CONFIGS = ("config.json", "open_clip_config.json")
# In the order that a checkpoint is opened in: safetensors first, Hugging Face's names before open_clip's.
_WEIGHTS = (
    ("model", ".safetensors"),
    ("open_clip_model", ".safetensors"),
    ("pytorch_model", ".bin"),
    ("open_clip_pytorch_model", ".bin"),
)
_BESIDE = re.compile(
    r"(?:tokenizer(?:_config)?|vocab|special_tokens_map|added_tokens|preprocessor_config)\.json|merges\.txt"
    r"|(?:readme|licen[cs]e|notice)[\w.-]*",
    re.IGNORECASE,
)


def select_files(names: Sequence[str], repo: str) -> tuple[str, ...]:
    """The config, one set of weights, tokenizer, model card and licence; nothing of other frameworks.

    Args:
        names: paths of all files of the repository.
        repo: named in errors.

    Raises:
        CheckpointError: no config, or no weights in a format that is read here.
    """
    configs = [name for name in names if name in _CONFIGS]
    weights = next((found for found in (_weights(names, *kind) for kind in _WEIGHTS) if found), [])
    for found, wanted in (
        (configs, _CONFIGS),
        (weights, [stem + suffix for stem, suffix in _WEIGHTS]),
    ):
        if not found:
            listed = ", ".join(sorted(names)[:10]) + (", …" if len(names) > 10 else "")
            raise CheckpointError(
                f"{repo} holds no checkpoint that can be read",
                got=listed or "no files",
                expected=" or ".join(wanted),
                fix="pull the repository of a PyTorch encoder, such as LanguageBind/LanguageBind_Image",
            )
    return tuple(sorted({*configs, *weights, *filter(_BESIDE.fullmatch, names)}))


def _weights(names: Sequence[str], stem: str, suffix: str) -> list[str]:
    if stem + suffix in names:
        return [stem + suffix]
    index = f"{stem}{suffix}.index.json"
    shard = re.compile(rf"{stem}-\d+-of-\d+{re.escape(suffix)}")
    return [index, *filter(shard.fullmatch, names)] if index in names else []
