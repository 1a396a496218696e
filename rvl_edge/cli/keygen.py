# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge keygen`: a pair of keys for `rvl-edge sign`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.output import Json, print_json


def run(
    path: Annotated[Path, typer.Argument(help="File of the private key; the public one is FILE.pub.")],
    as_json: Json = False,
) -> None:
    """Make a pair of Ed25519 keys to sign bundles with."""
    from rvl_edge.bundle.signing import new_key

    public = new_key(path)
    if as_json:
        print_json({"private": path, "public": public})
    else:
        typer.echo(f"{path}: keep it to yourself\n{public}: give it to the robots that shall trust it")
