# SPDX-License-Identifier: Apache-2.0
"""The command line's entry: the verbs, and what an error looks like there.

Verbs import what they need when they run, so that `--help` and typos are answered at once and on any machine.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from rvl_edge.cli import doctor, labels, verify
from rvl_edge.cli.output import print_json
from rvl_edge.errors import BackendError, BundleError, BundleNotFound, MissingDependency, RvlEdgeError

USAGE, ENVIRONMENT = 2, 3

app = typer.Typer(
    name="rvl-edge",
    help="Embeddings and labels of image, thermal, audio and video from one bundle.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (doctor, labels, verify):
    app.command(name=verb.__name__.rpartition(".")[2])(verb.run)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Embeddings and labels of image, thermal, audio and video from one bundle."""
    del debug  # read by `main`, which sees errors that end the parsing as well
    if show_version:
        typer.echo(version("rvl-edge-sdk"))
        raise typer.Exit


def main() -> None:
    """Run one verb and leave with its exit code."""
    try:
        app(prog_name="rvl-edge")
    except RvlEdgeError as error:
        if "--debug" in sys.argv:
            raise
        if "--json" in sys.argv:
            print_json({"error": error})
        else:
            typer.echo(f"rvl-edge: {error}\n  see {error.page}", err=True)
        sys.exit(exit_code(error))


def exit_code(error: RvlEdgeError) -> int:
    """2 for what the caller gave, 3 for what the machine or the bundle lacks."""
    environment = isinstance(error, (BackendError, BundleError, MissingDependency))
    return ENVIRONMENT if environment and not isinstance(error, BundleNotFound) else USAGE
