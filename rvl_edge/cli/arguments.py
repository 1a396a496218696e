# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share, and what a user may write in them."""

from __future__ import annotations

import tempfile
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from rvl_edge.errors import ConfigError

BundlePath = Annotated[
    Path | None, typer.Option("--bundle", help="A bundle's folder; the embedded one if left out.")
]
DataPath = Annotated[
    Path, typer.Option("--data", envvar="RVL_EDGE_DATA", help="Folder of the labelled sets.")
]
# The values of `Modality`, whose module imports NumPy.
Sense = Literal["image", "thermal", "depth", "audio", "video"]

# `BACKENDS`, likewise.
Backend = Literal[
    "onnxruntime",
    "onnxruntime-cuda",
    "onnxruntime-tensorrt",
    "openvino",
    "openvino-bf16",
    "tensorrt",
    "tensorrt-rtx",
]
BackendName = Annotated[Backend, typer.Option("--backend", help="Runtime of the encoders.")]


def _known(senses: list[str] | None) -> list[str] | None:
    for sense in senses or ():
        if sense not in get_args(Sense):
            raise typer.BadParameter(f"{sense!r} is not one of {', '.join(get_args(Sense))}")
    return senses


Senses = Annotated[
    list[str] | None, typer.Option("--modality", callback=_known, help="Only this sense; may be repeated.")
]


def label_list(text: str) -> tuple[str, ...]:
    """Labels written as `person,forklift`, or as `@FILE` with one a line (blank and # lines are skipped).

    Raises:
        ConfigError: the file does not exist or is no text.
    """
    if not text.startswith("@"):
        return tuple(label.strip() for label in text.split(","))
    path = existing(Path(text[1:]))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, IsADirectoryError):
        raise ConfigError("the label file is no text", got=path, expected="UTF-8, one label a line") from None
    return tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def existing(path: Path) -> Path:
    """The path, if something is there.

    Raises:
        ConfigError: nothing is; names the nearest file of that folder.
    """
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ConfigError("there is no such user", got=path, fix="give the whole path") from None
    if path.exists():
        return path
    folder = path.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    near = get_close_matches(path.name, names, n=1)
    fix = f"did you mean {folder / near[0]}?" if near else "check the spelling, or give the whole path"
    raise ConfigError("no such file", got=path, fix=fix)


def writable(*paths: Path) -> None:
    """Try whether files or folders could be put there, before hours are spent on what is to be in them.

    Raises:
        ConfigError: the nearest folder above that exists takes no file.
    """
    for path in paths:
        try:
            nearest = next(each for each in path.absolute().parents if each.exists())
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            raise ConfigError(
                "nothing can be written there",
                got=f"{path} ({error.strerror})",
                fix="name a path in a folder of your own",
            ) from None
