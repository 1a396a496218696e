# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge pull`: a checkpoint from the Hugging Face hub, pinned and hashed."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress

if TYPE_CHECKING:
    from rvl_edge.offline.pulling.planning import Plan


def run(
    repo: Annotated[
        str,
        typer.Argument(
            metavar="REPO[@REVISION]", help="Such as LanguageBind_Image, or OWNER/NAME@v1 of any owner."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; checkpoints/NAME if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be downloaded.")] = False,
    as_json: Json = False,
) -> None:
    """Download a checkpoint from the Hugging Face hub.

    What was cut off goes on where it was when the same command is run again; what is there is checked.
    """
    with offline_half("pull", extra="hub"):
        from huggingface_hub.utils import disable_progress_bars

        from rvl_edge.offline.pulling.naming import parse_source
        from rvl_edge.offline.pulling.planning import plan_pull
        from rvl_edge.offline.pulling.pull import pull

    disable_progress_bars()  # the library's own, in favour of ours
    source = parse_source(repo)
    folder = out or Path("checkpoints", source.name)
    with nullcontext(_silent) if as_json else progress(in_bytes=True) as advance:
        plan = plan_pull(source, folder, advance)
        pulled = None if dry_run else pull(plan, advance)
    if pulled is None:
        _show_plan(plan, as_json=as_json)
    elif as_json:
        print_json({"path": pulled.path, "pulled": pulled.pin, "fetched": pulled.fetched})
    else:
        fetched = f"{len(pulled.fetched)} of {len(pulled.pin.files)} files downloaded"
        typer.echo(f"{pulled.path}: {pulled.pin.repo} at {pulled.pin.commit}; {fetched}, all hashes right")


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        files = [
            {"name": step.file.name, "size": step.file.size, "missing": step.missing} for step in plan.steps
        ]
        commit = {"repo": plan.pin.repo, "revision": plan.pin.revision, "commit": plan.pin.commit}
        print_json({"path": plan.folder, **commit, "files": files, "missing": plan.missing})
        return
    rows = [(step.file.name, f"{step.file.size:,}", f"{step.missing:,}") for step in plan.steps]
    print_table(("file", "bytes", "to download"), rows, title=f"{plan.pin.repo} at {plan.pin.commit}")
    typer.echo(f"{plan.missing / 1e6:,.1f} MB to download to {plan.folder}")


def _silent(task: str, done: int, total: int, note: str = "") -> None:
    """Progress for programs: none."""
