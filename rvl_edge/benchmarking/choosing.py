# SPDX-License-Identifier: Apache-2.0
"""Which of the installed backends can run an encoder on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from rvl_edge.backends import ENGINE_BACKENDS, installed_backends
from rvl_edge.bundle.manifest import EngineFlavour, GraphEntry
from rvl_edge.errors import BackendError, BundleError, MissingDependency


@dataclass(frozen=True)
class LeftOut:
    """A backend that cannot run an encoder here, and why."""

    backend: str
    reason: str


def choose_backends(entry: GraphEntry) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Installed backends that can run an encoder, and those that cannot.

    All run its graph, but for those that run engines: they need one that was built for this machine's GPU.

    Args:
        entry: the encoder.
    """
    able, left_out = [], []
    for backend in installed_backends():
        flavour = ENGINE_BACKENDS.get(backend)
        reason = None if flavour is None else _why_no_engine(entry, flavour)
        if reason is None:
            able.append(backend)
        else:
            left_out.append(LeftOut(backend, reason))
    return tuple(able), tuple(left_out)


def _why_no_engine(entry: GraphEntry, flavour: EngineFlavour) -> str | None:
    if all(engine.flavour != flavour for engine in entry.engines):  # said before a GPU is asked for
        return "no engine was built for it"
    from rvl_edge.backends.tensorrt.opening import find_engine

    try:
        find_engine(entry, flavour)
    except (BackendError, BundleError, MissingDependency) as error:
        return str(error)
    return None
