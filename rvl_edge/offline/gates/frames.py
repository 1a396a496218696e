# SPDX-License-Identifier: Apache-2.0
"""Frames that gates ask about, and what an encoder made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.backends import Session
from rvl_edge.offline.batches import in_batches
from rvl_edge.types import FloatArray


@dataclass(frozen=True, eq=False)
class Attacked:
    """The same frames under attack.

    Attributes:
        inputs: (N, ...) model inputs; frames that the torch model gets wrong as they are, are left so.
        attack: name, norm, radius and steps, in words.
        crafted_on: the checkpoint's folder.
    """

    inputs: FloatArray
    attack: str
    crafted_on: str


@dataclass(frozen=True, eq=False)
class Frames:
    """Labelled frames of one sense.

    Attributes:
        inputs: (N, ...) float32 model inputs.
        truths: (N,) int64, index into the anchors.
        anchors: (K, D) text anchors of the classes, of unit norm.
        source: where the frames are from.
        attacked: None where there is no checkpoint to attack.
    """

    inputs: FloatArray
    truths: npt.NDArray[np.int64]
    anchors: FloatArray
    source: str
    attacked: Attacked | None = None


@dataclass(frozen=True, eq=False)
class Response:
    """What an encoder made of frames.

    Attributes:
        encoder: what ran, as its session describes itself.
        clean: (N, D) of the frames as they are.
        attacked: (N, D) of the same under attack; None where they were not attacked.
    """

    encoder: str
    clean: FloatArray
    attacked: FloatArray | None


def ask(encoder: Session, frames: Frames) -> Response:
    """Run an encoder over all frames, in batches of 1, 2 and then 4."""
    hit = frames.attacked
    return Response(
        encoder.description,
        in_batches(encoder.run, frames.inputs),
        None if hit is None else in_batches(encoder.run, hit.inputs),
    )
