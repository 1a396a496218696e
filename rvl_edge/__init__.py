# SPDX-License-Identifier: Apache-2.0
"""Robust embeddings and labels from a robot's cameras, thermal imagers and microphones.

    import rvl_edge as rvl

    perceiver = rvl.Perceiver.open()
    perceiver.set_labels(["person", "forklift"])
    seen = perceiver.image(rgb)

Names are imported when first used, so that `import rvl_edge` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvl_edge.backends import BACKENDS
    from rvl_edge.bundle import Bundle, VerifyReport, verify
    from rvl_edge.errors import BackendError, BundleError, ConfigError, InputError, RvlEdgeError
    from rvl_edge.perceiver import Perceiver
    from rvl_edge.preprocess import DepthUnit, ThermalUnit
    from rvl_edge.refine import ColaSettings, Gate
    from rvl_edge.text import UntrainedLabelWarning
    from rvl_edge.trust import Fusion, Scene
    from rvl_edge.types import Finding, Label, Modality, Perception, Refinement, Timing, Trust

_HOMES = {
    "BACKENDS": "backends",
    "Bundle": "bundle",
    "VerifyReport": "bundle",
    "verify": "bundle",
    "BackendError": "errors",
    "BundleError": "errors",
    "ConfigError": "errors",
    "InputError": "errors",
    "RvlEdgeError": "errors",
    "Perceiver": "perceiver",
    "DepthUnit": "preprocess",
    "ThermalUnit": "preprocess",
    "ColaSettings": "refine",
    "Gate": "refine",
    "UntrainedLabelWarning": "text",
    "Fusion": "trust",
    "Scene": "trust",
    "Finding": "types",
    "Label": "types",
    "Modality": "types",
    "Perception": "types",
    "Refinement": "types",
    "Timing": "types",
    "Trust": "types",
}

__all__ = [
    "BACKENDS",
    "BackendError",
    "Bundle",
    "BundleError",
    "ColaSettings",
    "ConfigError",
    "DepthUnit",
    "Finding",
    "Fusion",
    "Gate",
    "InputError",
    "Label",
    "Modality",
    "Perceiver",
    "Perception",
    "Refinement",
    "RvlEdgeError",
    "Scene",
    "ThermalUnit",
    "Timing",
    "Trust",
    "UntrainedLabelWarning",
    "VerifyReport",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("rvl-edge-sdk")
    elif name in _HOMES:
        value = getattr(import_module(f"rvl_edge.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
