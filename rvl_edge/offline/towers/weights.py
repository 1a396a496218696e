# SPDX-License-Identifier: Apache-2.0
"""A folder's files of weights -> named tensors that are read when they are asked for.

Files are mapped, not read: to list every tensor costs the headers only, a tower that nobody asks for costs
nothing, and a float32 tensor is the file's own pages, copied where they are written to. So a file must be
replaced by renaming, not rewritten in place, while an encoder made from it lives.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rvl_edge.errors import CheckpointError

WEIGHTS_NAME = "model.safetensors"

_KNOWN_NAMES = (  # the best first: safetensors cannot hold code
    WEIGHTS_NAME,
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
_INDEX_SUFFIX = ".index.json"
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training scripts file the weights
_ZIP_MAGIC = b"PK\x03\x04"  # what torch.save writes since 1.6; older files cannot be mapped
_LFS_MAGIC = b"version https://git-lfs"
_MOST = 10


@dataclass(frozen=True)
class LazyTensor:
    """A tensor that is not in memory yet.

    Attributes:
        key: its name in the file.
        shape: its shape.
        read: returns it, in the type it is stored in.
    """

    key: str
    shape: tuple[int, ...]
    read: Callable[[], Tensor]


Weights = Mapping[str, LazyTensor]


def find_weights(folder: Path) -> tuple[Path, ...]:
    """The files that hold a checkpoint's weights: one, or the shards that an index lists.

    safetensors come before pickles, Hugging Face's names before open_clip's, one file before shards. A file
    of any other name is taken if it is the only one.

    Raises:
        CheckpointError: no weights, several files to choose from, or an index that cannot be followed.
    """
    found = _known(folder)
    if found is not None and found.name.endswith(_INDEX_SUFFIX):
        return tuple(folder / shard for shard in sorted(set(_read_index(found).values())))
    if found is not None:
        return (found,)
    others = sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES and path.is_file())
    if not others:
        raise CheckpointError("the checkpoint has no weights", got=folder, expected=" or ".join(_KNOWN_NAMES))
    if len(others) > 1:
        raise CheckpointError(
            f"{folder} has several files of weights",
            got=", ".join(path.name for path in others),
            expected=" or ".join(_KNOWN_NAMES),
            fix="keep the right one in a folder of its own",
        )
    return (others[0],)


def open_weights(folder: Path) -> dict[str, LazyTensor]:
    """List the tensors of a checkpoint folder.

    Raises:
        CheckpointError: files that are missing, damaged, or hold more than tensors, or shards that are not
            what their index says.
    """
    files = {path: _open_file(path) for path in find_weights(folder)}
    found = _known(folder)
    if found is not None and found.name.endswith(_INDEX_SUFFIX):
        _check_index(found, files)
    return {key: tensor for weights in files.values() for key, tensor in weights.items()}


def _known(folder: Path) -> Path | None:
    """The file of weights or the index of shards that has a known name."""
    candidates = (folder / f"{name}{suffix}" for name in _KNOWN_NAMES for suffix in ("", _INDEX_SUFFIX))
    return next((path for path in candidates if path.is_file()), None)


def shortened(entries: Iterable[str]) -> str:
    """The first ten entries, and how many there are beyond."""
    every = list(entries)
    beyond = [f"and {len(every) - _MOST} more"] if len(every) > _MOST else []
    return "; ".join(every[:_MOST] + beyond)


def _read_index(path: Path) -> dict[str, str]:
    """Key -> name of its shard."""
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(places.values()))
        outside = [shard for shard in shards if Path(shard).name != shard]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no index of shards", got=repr(error)) from None
    if outside:
        raise CheckpointError(f"{path} lists a file outside its folder", got=", ".join(map(repr, outside)))
    missing = [shard for shard in shards if not (path.parent / shard).is_file()]
    if missing or not shards:
        raise CheckpointError(
            f"{path} lists shards that are not there" if missing else f"{path} lists no shards",
            got=shortened(missing) or None,
            fix="download the folder again",
        )
    return dict(places)


def _check_index(path: Path, files: Mapping[Path, Weights]) -> None:
    listed = set(_read_index(path).items())
    found = {(key, file.name) for file, weights in files.items() for key in weights}
    faults = [f"{key} is not in {shard}" for key, shard in sorted(listed - found)]
    faults += [f"{key} of {shard} is not listed" for key, shard in sorted(found - listed)]
    if faults:
        raise CheckpointError(
            f"{path} disagrees with its shards", got=shortened(faults), fix="download the folder again"
        )


def _open_file(path: Path) -> dict[str, LazyTensor]:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_LFS_MAGIC))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read", got=error) from None
    if magic == _LFS_MAGIC:
        raise CheckpointError(
            f"{path} is Git LFS's pointer to the weights, not the weights", fix="run git lfs pull"
        )
    if path.suffix == ".safetensors":
        return _open_safetensors(path)
    return _open_pickle(path, mappable=magic.startswith(_ZIP_MAGIC))


def _open_safetensors(path: Path) -> dict[str, LazyTensor]:
    try:
        file: Any = safe_open(path, framework="pt")
        return {key: _in_safetensors(file, key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from None


def _in_safetensors(file: Any, key: str) -> LazyTensor:
    return LazyTensor(key, tuple(file.get_slice(key).get_shape()), lambda: file.get_tensor(key))


def _open_pickle(path: Path, *, mappable: bool) -> dict[str, LazyTensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mappable)
    except pickle.UnpicklingError as error:
        reason = next((line for line in str(error).splitlines() if "global" in line.lower()), None)
        if reason is None:
            raise _damaged(path, "no file of torch.save") from None
        raise CheckpointError(
            f"{path} holds more than tensors, and code in a checkpoint is never run",
            got=reason.strip(),
            fix="take its safetensors, or have it saved again as a plain state dict",
        ) from None
    except Exception as error:  # a damaged archive or pickle can raise nearly anything
        raise _damaged(path, str(error).partition("\n")[0] or repr(error)) from None
    state = _unwrapped(content)
    if state is None:
        raise CheckpointError(f"{path} holds no weights", got=type(content).__name__, expected="a state dict")
    strange = [f"{key} is {kind}" for key, value in state.items() if (kind := _strangeness(value))]
    if strange:
        raise CheckpointError(f"{path} holds more than tensors", got=shortened(strange))
    return {key: _in_memory(key, value) for key, value in state.items()}


def _unwrapped(content: Any) -> dict[str, Any] | None:
    while isinstance(content, dict):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            return content if content and all(isinstance(key, str) for key in content) else None
        content = inner
    return None


def _strangeness(value: object) -> str | None:
    """What a value is instead of a plain tensor."""
    if not isinstance(value, Tensor):
        return f"of type {type(value).__name__}"
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        return "a sparse, quantised or empty tensor"
    return None


def _in_memory(key: str, value: Tensor) -> LazyTensor:
    return LazyTensor(key, tuple(value.shape), value.detach)  # parameters are pickled as such


def _damaged(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or cut short", got=reason, fix="download the file again")
