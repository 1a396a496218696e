# SPDX-License-Identifier: Apache-2.0
"""The offline half is optional: without its packages a verb says what to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rvl_edge.errors import MissingDependency


@contextmanager
def offline_half(verb: str, *, extra: str = "offline") -> Iterator[None]:
    """Import `rvl_edge.offline` inside this; `extra` has what the verb needs.

    Raises:
        MissingDependency: a package of the offline half is not installed.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith("rvl_edge"):  # ours: a fault, not a missing package
            raise
        raise MissingDependency(
            f"`rvl-edge {verb}` needs packages that robots do without",
            got=error,
            fix=f"pip install 'rvl-edge-sdk[{extra}]' on a workstation",
        ) from error
