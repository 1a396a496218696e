# SPDX-License-Identifier: Apache-2.0
"""What every runtime looks like to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadOutput, BadShape, NonFinite
from rvl_edge.types import FloatArray


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph.

    Attributes:
        name: its name in the graph.
        shape: axes; None where any size is taken (the batch).
        dtype: element type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    def sample(self, batch: int = 1) -> npt.NDArray[Any]:
        """A batch that fits: noise, the same each time (zeros may have no norm), or ids all towers have."""
        shape = [batch if axis is None else axis for axis in self.shape]
        if self.dtype.kind == "f":
            return np.random.default_rng(0).standard_normal(shape).astype(self.dtype)
        return np.zeros(shape, self.dtype)


@dataclass(frozen=True)
class IOSpec:
    """The one input and one output of an encoder."""

    input: TensorSpec
    output: TensorSpec


class Session(Protocol):
    """A loaded encoder. Calls may come from several threads at once."""

    @property
    def io(self) -> IOSpec:
        """Names, shapes and types of input and output."""
        ...

    @property
    def description(self) -> str:
        """The runtime, its release, and the precision it computes in where that is not the graph's own."""
        ...

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """Encode a batch.

        Args:
            batch: (B, ...) of the input's type; axes after the first as in `io.input`.

        Returns:
            (B, D) float32, rows of unit norm; the caller's own.

        Raises:
            BadShape, BadDtype: the batch does not fit the graph.
            BackendError: the runtime failed.
            BadOutput: the graph returned no embedding.
        """
        ...

    def warm_up(self) -> None:
        """Run once, so that the first real sample does not pay for allocation."""
        ...

    def close(self) -> None:
        """Free the graph; a later `run` raises BackendError."""
        ...


def check_batch(batch: npt.NDArray[Any], spec: TensorSpec) -> None:
    """Raise BadShape or BadDtype unless the batch fits a graph's input."""
    if not isinstance(batch, np.ndarray):
        raise BadDtype("the batch is no array", got=type(batch).__name__, expected=f"{spec.dtype} array")
    fits = batch.ndim == len(spec.shape) and all(
        want in (None, have) for have, want in zip(batch.shape, spec.shape, strict=True)
    )
    if not fits or batch.size == 0:
        expected = "(" + ", ".join("B" if axis is None else str(axis) for axis in spec.shape) + ")"
        raise BadShape(f"the batch does not fit {spec.name}", got=batch.shape, expected=expected)
    if batch.dtype != spec.dtype:
        raise BadDtype(f"the batch does not fit {spec.name}", got=batch.dtype, expected=spec.dtype)


def check_embedding(embedding: FloatArray, dim: int) -> None:
    """Raise BadDtype, BadShape or NonFinite unless it is (D,) numbers."""
    if not isinstance(embedding, np.ndarray) or embedding.dtype.kind not in "fiu":
        got = getattr(embedding, "dtype", type(embedding).__name__)
        raise BadDtype("no embedding of this bundle", got=got, expected="a float32 array")
    if embedding.shape != (dim,):
        raise BadShape("no embedding of this bundle", got=embedding.shape, expected=(dim,))
    if not np.isfinite(embedding).all():
        raise NonFinite("the embedding has values that are no numbers")


def unit_rows(output: FloatArray, batch: int, dim: int, name: str) -> FloatArray:
    """Check that a graph's output is one unit embedding a row, and take the last rounding out of the norms.

    Args:
        output: what the graph returned; expected (B, D) float32.
        batch: B.
        dim: D.
        name: the graph's name in errors.

    Returns:
        (B, D) float32, a new array.

    Raises:
        BadOutput: another shape, NaN or infinity, or a norm further from 1 than half-precision rounding
            explains.
    """
    if output.shape != (batch, dim):
        raise BadOutput(f"{name} returned no embedding", got=output.shape, expected=(batch, dim))
    norms = np.sqrt(np.einsum("bd,bd->b", output, output, dtype=np.float64))
    wrong = ~(np.abs(norms - 1) < 1e-2)  # written so that NaN counts as wrong
    if wrong.any():
        raise BadOutput(
            f"{name} returned no embedding",
            got=f"norm {norms[wrong][0]}",
            expected="finite values of unit norm",
            fix="run `rvl-edge verify`; if it passes, the exported graph is at fault: export it again",
        )
    unit: FloatArray = (output / norms[:, None]).astype(np.float32)
    return unit
