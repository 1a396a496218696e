# SPDX-License-Identifier: Apache-2.0
"""Which engine of a bundle may run on this machine.

A TensorRT engine is a program: it is judged by what the manifest says of it, and its bytes are hashed, before
any of them reach TensorRT. The manifest (signed, where that is required) names the SHA-256 of every graph and
engine, and every engine the SHA-256 of the graph it was built from. A graph that is exported again has
another hash, so an engine of the old weights cannot be run by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

from rvl_edge.bundle.manifest import EngineEntry, EngineFlavour, GraphEntry
from rvl_edge.errors import EngineDevice, EngineError, EngineMissing, EngineStale, EngineVersion


@dataclass(frozen=True)
class Machine:
    """What an engine has to fit.

    Attributes:
        flavour: which TensorRT is asked for.
        version: its release, exactly; engines are not portable between releases.
        compute_capability: of the GPU, such as "8.7".
        device: the GPU's name, and the board's where it has one.
    """

    flavour: EngineFlavour
    version: str
    compute_capability: str
    device: str


def choose_engine(entry: GraphEntry, machine: Machine) -> EngineEntry:
    """The engine of a graph that fits this machine; if there are several, the last that was built.

    Raises:
        EngineMissing: none was built for this kind of TensorRT.
        EngineStale: it was built from another graph.
        EngineVersion: it was built by another release of TensorRT.
        EngineDevice: it was built for another GPU.
    """
    refusal: EngineError | None = None
    for engine in reversed(entry.engines):
        if engine.flavour == machine.flavour:
            found = _refusal(entry, engine, machine)
            if found is None:
                return engine
            refusal = refusal or found
    if refusal is not None:
        raise refusal
    others = ", ".join(sorted({each.flavour for each in entry.engines}))
    raise EngineMissing(
        f"{entry.graph.path} has no engine for {machine.flavour}",
        got=f"engines for {others}" if others else "no engines",
        fix=_build(machine),
    )


def _refusal(entry: GraphEntry, engine: EngineEntry, machine: Machine) -> EngineError | None:
    name = engine.engine.path
    if engine.source != entry.source:
        return EngineStale(
            f"{name} was built from another graph than {entry.graph.path} is now",
            got=f"SHA-256 {' '.join(engine.source)}",
            expected=" ".join(entry.source),
            fix=_build(machine),
        )
    if engine.version != machine.version:
        return EngineVersion(
            f"{name} was built by another release of TensorRT",
            got=engine.version,
            expected=machine.version,
            fix=f"{_build(machine)}; or install {machine.flavour} {engine.version}",
        )
    if machine.compute_capability not in engine.compute_capabilities:
        return EngineDevice(
            f"{name} was built for other GPUs",
            got=f"compute capability {', '.join(engine.compute_capabilities)}",
            expected=f"{machine.compute_capability} ({machine.device})",
            fix=_build(machine),
        )
    if engine.device not in (None, machine.device):
        return EngineDevice(
            f"{name} was tuned on another GPU",
            got=engine.device,
            expected=machine.device,
            fix=_build(machine),
        )
    return None


def _build(machine: Machine) -> str:
    return f"rvl-edge build BUNDLE --on-device --flavour {machine.flavour}"
