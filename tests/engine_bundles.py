# SPDX-License-Identifier: Apache-2.0
"""Bundles with an engine that is none: who hands its bytes to TensorRT gets another error than a refusal."""

from __future__ import annotations

from pathlib import Path

from rvl_edge.bundle import Bundle
from rvl_edge.bundle.engines import Machine
from rvl_edge.bundle.manifest import BatchRange, EngineEntry, GraphEntry
from rvl_edge.bundle.writing import amend_bundle

ENGINE = "engines/image-test.engine"
CONTENT = b"no engine at all, and never to reach TensorRT"
MACHINE = Machine("tensorrt", "10.3.0", "8.7", "Orin")


def with_engine(root: Path, **changes: object) -> Bundle:
    """Add an engine for MACHINE to the image graph of a bundle, with some of its entry's fields changed."""
    bundle = Bundle.open(root)
    image = bundle.manifest.senses["image"]  # type: ignore[index]

    def name(files: dict) -> object:
        fields = {
            "engine": files[ENGINE],
            "source": image.source,
            "target": "test",
            "flavour": MACHINE.flavour,
            "version": MACHINE.version,
            "compute_capabilities": (MACHINE.compute_capability,),
            "device": MACHINE.device,
            "profiles": (BatchRange(smallest=1, best=1, largest=8),),
            "optimization_level": 3,
        }
        entry = EngineEntry.model_validate({**fields, **changes})
        senses = dict(bundle.manifest.senses)
        senses[next(iter(k for k in senses if k == "image"))] = image.model_copy(update={"engines": (entry,)})
        return bundle.manifest.model_copy(update={"senses": senses})

    amend_bundle(bundle, {ENGINE: CONTENT}, name)  # type: ignore[arg-type]
    return Bundle.open(root)


def image(bundle: Bundle) -> GraphEntry:
    return bundle.manifest.senses["image"]  # type: ignore[index]
