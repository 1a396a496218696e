# SPDX-License-Identifier: Apache-2.0
"""Frames and a graph's answers to them as a file of its bundle: a robot without torch replays them.

Crafting attacks takes torch, the checkpoint and the labelled sets. An engine is held to its graph on the
robot, which has none of them. So the frames are crafted before and travel in the bundle, whose manifest, and
signature, cover them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import FileRef, Manifest
from rvl_edge.bundle.writing import amend_bundle
from rvl_edge.errors import BundleError, ConfigError
from rvl_edge.offline.gates.frames import Attacked, Frames, Response
from rvl_edge.offline.gates.recipe import Crafting, GateRecipe
from rvl_edge.types import Modality

_CRAFT = "on a machine with torch: rvl-edge build RECIPE --bundle BUNDLE --data DIR --craft"


@dataclass(frozen=True, eq=False)
class Replay:
    """Frames, and what the graph that a candidate was made from answers to them."""

    frames: Frames
    reference: Response


class _About(BaseModel):
    """What the arrays are; `graph` is the `source` of the graph that answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    graph: tuple[str, ...]
    crafting: Crafting
    reference: str
    source: str
    attack: str | None
    crafted_on: str | None


def store_replay(bundle: Bundle, modality: Modality, replay: Replay, gates: GateRecipe) -> None:
    """Put frames into a bundle as `gates/SENSE.npz`, in one step; it has to be signed again.

    Args:
        bundle: whose graph of the sense is the reference.
        modality: the sense.
        replay: the frames, and that graph's answers.
        gates: how they were crafted.

    Raises:
        BundleError: the bundle cannot be written; it is as it was.
    """
    entry = bundle.manifest.senses[modality]
    path = f"gates/{modality}.npz"

    def name(files: Mapping[str, FileRef]) -> Manifest:
        changed = entry.model_copy(update={"gate_frames": files[path]})
        return bundle.manifest.model_copy(update={"senses": {**bundle.manifest.senses, modality: changed}})

    amend_bundle(bundle, {path: _pack(replay, entry.source, gates.crafting)}, name)


def read_replay(bundle: Bundle, modality: Modality, gates: GateRecipe) -> Replay:
    """Read the frames of a sense that were put into the bundle.

    Args:
        bundle: see above.
        modality: the sense.
        gates: thresholds, and how the frames have to be crafted.

    Raises:
        ConfigError: there are none, or they were crafted otherwise.
        BundleError: they were crafted for another graph, or are not whole.
    """
    entry = bundle.manifest.senses[modality]
    if entry.gate_frames is None:
        raise ConfigError(f"the bundle holds no frames to gate {modality} with", fix=_CRAFT)
    about, replay = _unpack(bundle.read(entry.gate_frames), entry.gate_frames.path)
    if about.graph != entry.source:
        raise BundleError(
            f"{entry.gate_frames.path} was made for another graph than {entry.graph.path} is now",
            got=f"SHA-256 {' '.join(about.graph)}",
            expected=" ".join(entry.source),
            fix=_CRAFT,
        )
    if about.crafting != gates.crafting:
        raise ConfigError(
            f"{entry.gate_frames.path} was made otherwise than the recipe says",
            got=about.crafting,
            expected=gates.crafting,
            fix=_CRAFT,
        )
    return replay


def _pack(replay: Replay, graph: tuple[str, ...], crafting: Crafting) -> bytes:
    frames, answers, hit = replay.frames, replay.reference, replay.frames.attacked
    about = _About(
        graph=graph,
        crafting=crafting,
        reference=answers.encoder,
        source=frames.source,
        attack=None if hit is None else hit.attack,
        crafted_on=None if hit is None else hit.crafted_on,
    )
    arrays: dict[str, npt.NDArray[Any]] = {
        "about": np.frombuffer(about.model_dump_json().encode(), np.uint8),
        "frames": frames.inputs,
        "truths": frames.truths,
        "anchors": frames.anchors,
        "answers": answers.clean,
    }
    if hit is not None and answers.attacked is not None:
        arrays |= {"attacked frames": hit.inputs, "attacked answers": answers.attacked}
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes keywords for allow_pickle
    return file.getvalue()


def _unpack(content: bytes, name: str) -> tuple[_About, Replay]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        about = _About.model_validate_json(arrays["about"].tobytes(), strict=True)
        hit = None
        if about.attack is not None and about.crafted_on is not None:
            hit = Attacked(arrays["attacked frames"], about.attack, about.crafted_on)
        frames = Frames(arrays["frames"], arrays["truths"], arrays["anchors"], about.source, hit)
        answers = Response(about.reference, arrays["answers"], arrays.get("attacked answers"))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:  # ValidationError is a ValueError
        raise BundleError(f"{name} holds no frames for gates", got=error, fix=_CRAFT) from None
    return about, Replay(frames, answers)
