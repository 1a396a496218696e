# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge sign`: say who stands for a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.output import Json, print_json


def run(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    *,
    key: Annotated[Path, typer.Option(help="Your private key; `rvl-edge keygen FILE` makes one.")],
    as_json: Json = False,
) -> None:
    """Sign a bundle with Ed25519.

    The bundle is checked to the end first. The signature covers the manifest and by its hashes every file;
    whatever changes the manifest later, such as a new engine, needs a new signature.
    """
    from rvl_edge.bundle import verify
    from rvl_edge.bundle.signing import SIGNATURE_NAME, sign
    from rvl_edge.errors import BundleError

    report = verify(bundle)
    if not report.ok:
        raise BundleError("a bundle that will be refused is not signed", got=bundle, fix="rvl-edge verify")
    signer = sign(report.root, key)
    path = report.root / SIGNATURE_NAME
    if as_json:
        print_json({"signature": path, "key": signer})
    else:
        typer.echo(f"{path}: signed by key {signer[:16]}; robots need {key}.pub to check it")
