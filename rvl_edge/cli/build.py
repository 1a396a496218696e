# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge build`: TensorRT engines for the graphs of a bundle."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rvl_edge.cli.arguments import existing
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.offline.building import BuiltEngine
    from rvl_edge.offline.building.recipe import BuildRecipe

_COLUMNS = ("graph", "engine", "MB", "built by", "for", "batches", "s", "cosine")


def run(
    source: Annotated[
        Path, typer.Argument(help="A recipe such as export/build-orin-nano.yaml, or a bundle.")
    ],
    *,
    bundle: Annotated[Path | None, typer.Option(help="Bundle to use instead of the recipe's.")] = None,
    on_device: Annotated[
        bool, typer.Option("--on-device", help="Build for the GPU of this machine.")
    ] = False,
    flavour: Annotated[
        Literal["tensorrt", "tensorrt-rtx"] | None,
        typer.Option(help="Without a recipe: which TensorRT to build with."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="RVL_EDGE_DATA",
            help="Folder of the labelled sets, for the recipe's gates. Without, --craft's are replayed.",
        ),
    ] = None,
    craft: Annotated[
        bool,
        typer.Option("--craft", help="Build nothing; put frames for the recipe's gates into the bundle."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Build TensorRT engines into a bundle.

    Each engine is put into the bundle when it is done, beside a report of its layers; those that are there
    and fit are not built again. Flavour tensorrt builds on the machine the engine is for (--on-device),
    tensorrt-rtx anywhere. With --on-device each is held against its graph, and to the recipe's gates, a new
    one before it is stored; if it fails, exits with 1. Gates need attacked frames, which take torch to make:
    make them with --craft on another machine, and the robot replays them.
    """
    # Robots build too: this part of the offline half needs none of its packages.
    from rvl_edge.offline.building import build_engines, craft_frames
    from rvl_edge.offline.building.recipe import read_recipe

    path = existing(source)
    is_bundle = path.is_dir() or path.suffix == ".json"
    if is_bundle and bundle is not None:
        raise ConfigError("two bundles were given", got=f"{path} and {bundle}", fix="leave out --bundle")
    if not is_bundle and flavour is not None:
        raise ConfigError("the recipe says which TensorRT to use", got=f"--flavour {flavour}")
    recipe = _for_bundle(on_device, flavour) if is_bundle else read_recipe(path)
    if craft:
        if data is None or on_device:
            raise ConfigError("--craft takes --data and no --on-device", fix="build on the device after it")
        with nullcontext() if as_json else progress() as advance:
            crafted = craft_frames(recipe, path if is_bundle else bundle, existing(data), on_step=advance)
        _say_crafted(crafted, recipe, as_json=as_json)
        return
    sets = existing(data) if data is not None and recipe.gates else None
    with nullcontext() if as_json else progress() as advance:
        report = build_engines(
            recipe, path if is_bundle else bundle, on_device=on_device, data=sets, on_step=advance
        )
    if as_json:
        print_json({"path": report.path, "engines": [_plain(each) for each in report.engines]})
        return
    print_table(_COLUMNS, (_row(each) for each in report.engines), title=str(report.path))
    for each in report.engines:
        if each.note:
            typer.echo(f"{each.graph}: {each.note}")
    if report.signature_dropped:
        typer.echo(f"the manifest has changed: sign it again with rvl-edge sign {report.path} --key KEY")


def _say_crafted(path: Path, recipe: BuildRecipe, *, as_json: bool) -> None:
    if as_json:
        print_json({"path": path, "senses": list(recipe.gates)})
    else:
        typer.echo(f"{path}: holds frames for the gates of {', '.join(recipe.gates)}; sign it after this")


def _for_bundle(on_device: bool, flavour: Literal["tensorrt", "tensorrt-rtx"] | None) -> BuildRecipe:
    """What to build where no recipe says so: for this GPU, or for desktops."""
    from rvl_edge.offline.building.recipe import BuildRecipe

    if not on_device:
        return BuildRecipe(flavour=flavour or "tensorrt-rtx")
    from rvl_edge.backends.cuda import open_cuda

    here = open_cuda().device.compute_capability
    return BuildRecipe(
        target=f"sm{here.replace('.', '')}", flavour=flavour or "tensorrt", compute_capabilities=(here,)
    )


def _row(built: BuiltEngine) -> tuple[str, ...]:
    entry = built.entry
    return (
        built.graph,
        entry.engine.path,
        f"{entry.engine.size / 1e6:.1f}",
        f"{entry.flavour} {entry.version}",
        entry.device or ", ".join(entry.compute_capabilities),
        ", ".join(f"{each.smallest} to {each.largest}" for each in entry.profiles),
        f"{built.seconds:.1f}",
        "" if built.cosine_min is None else f"{built.cosine_min:.6f}",
    )


def _plain(built: BuiltEngine) -> dict[str, object]:
    return {
        "graph": built.graph,
        "seconds": built.seconds,
        "cosine_min": built.cosine_min,
        "note": built.note,
        "entry": built.entry.model_dump(mode="json"),
    }
