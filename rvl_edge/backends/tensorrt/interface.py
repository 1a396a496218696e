# SPDX-License-Identifier: Apache-2.0
"""What the executor needs of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rvl_edge.backends.session import IOSpec
from rvl_edge.bundle.manifest import BatchRange


class Context(Protocol):
    """An engine set up for one batch size, with its addresses fixed."""

    def capturable(self, stream: int) -> bool:
        """Whether `enqueue` can be recorded now."""
        ...

    def enqueue(self, stream: int) -> None:
        """Queue one inference.

        Raises:
            BackendError: TensorRT refused.
        """
        ...


class Engine(Protocol):
    """A deserialised engine of one input and one output."""

    @property
    def io(self) -> IOSpec:
        """Input and output; None for the batch axis."""
        ...

    @property
    def profiles(self) -> Sequence[BatchRange]:
        """The batch sizes it takes, profile by profile."""
        ...

    @property
    def scratch_bytes(self) -> int:
        """Device memory that an inference needs beside inputs, outputs and weights."""
        ...

    def context(
        self, profile: int, batch: int, *, source: int, target: int, scratch: int, stream: int
    ) -> Context:
        """Set up one batch size.

        Args:
            profile: which of `profiles`.
            batch: B, within it.
            source, target, scratch: device addresses of input, output and `scratch_bytes`.
            stream: where to queue what the set-up takes.
        """
        ...

    def close(self) -> None:
        """Free it; its contexts must not be used after."""
        ...
