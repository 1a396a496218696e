# SPDX-License-Identifier: Apache-2.0
"""The command line's entry: the verbs, and what an error looks like there.

Verbs import what they need when they run, so that `--help` and typos are answered at once and on any machine.
"""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from rvl_edge.cli import (
    bench,
    build,
    calibrate,
    compare,
    doctor,
    evaluate,
    export,
    harden,
    keygen,
    labels,
    perceive,
    pretrain,
    pull,
    quantise,
    report,
    sign,
    verify,
)
from rvl_edge.cli.output import exit_code, print_error, print_json
from rvl_edge.errors import ConfigError, MissingDependency, RvlEdgeError

app = typer.Typer(
    name="rvl-edge",
    help="Embeddings and labels of image, thermal, depth, audio and video from one bundle.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    doctor,
    perceive,
    labels,
    verify,
    bench,
    pull,
    pretrain,
    harden,
    evaluate,
    compare,
    report,
    export,
    quantise,
    build,
    sign,
    keygen,
):
    app.command(name=verb.__name__.rpartition(".")[2])(verb.run)
app.add_typer(calibrate.app, name="calibrate")


def print_version(wanted: bool) -> None:
    """Print the version and leave, before a verb is asked for."""
    if wanted:
        typer.echo(version("rvl-edge-sdk"))
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Embeddings and labels of image, thermal, depth, audio and video from one bundle."""
    del debug, show_version  # the first is read by `main`, which sees the errors


def main() -> None:
    """Run one verb and leave with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter still gets its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="rvl-edge")
    except (RvlEdgeError, ImportError, OSError) as raised:
        if "--debug" in sys.argv:
            raise
        error = _explained(raised)
        if "--json" in sys.argv:
            print_json({"error": error})
        else:
            print_error(error)
        sys.exit(exit_code(error))


def _explained(error: RvlEdgeError | ImportError | OSError) -> RvlEdgeError:
    if isinstance(error, RvlEdgeError):
        return error
    if isinstance(error, OSError):
        fix = "check the path, its permissions and the space left; --debug shows which step it was"
        return ConfigError("a file cannot be read or written", got=error, fix=fix)
    if (error.name or "").startswith("rvl_edge"):  # ours: a fault, not a missing package
        raise error
    return MissingDependency(
        "a package that this verb needs cannot be imported",
        got=error,
        fix="pip install --force-reinstall that package; rvl-edge doctor looks at all of them",
    )
