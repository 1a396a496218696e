# SPDX-License-Identifier: Apache-2.0
"""Which Python binding of CUDA to use."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

from rvl_edge.backends.cuda.interface import Cuda
from rvl_edge.errors import ConfigError, MissingDependency

LIBRARIES: Final = {"cuda-python": "cuda", "pycuda": "pycuda"}  # name -> package, the preferred one first
_VARIABLE = "RVL_EDGE_CUDA"


def open_cuda(library: str | None = None) -> Cuda:
    """Open the GPU.

    Args:
        library: one of `LIBRARIES`. None takes what the environment variable RVL_EDGE_CUDA names, else the
            first that is installed.

    Raises:
        ConfigError: there is no such library.
        MissingDependency: it is not installed, or none is.
        BackendError: there is no GPU, or no driver for it.
    """
    name = library or os.environ.get(_VARIABLE) or _installed()
    if name not in LIBRARIES:
        raise ConfigError(
            "unknown CUDA library",
            got=repr(name),
            expected=", ".join(LIBRARIES),
            fix=f"correct {_VARIABLE}, or leave it unset",
        )
    try:
        if name == "pycuda":
            from rvl_edge.backends.cuda.py_cuda import PyCuda

            return PyCuda()
        from rvl_edge.backends.cuda.cuda_python import CudaPython
    except ImportError as error:
        extra = "cuda" if name == "cuda-python" else "pycuda"
        raise MissingDependency(
            f"{name} is not installed", got=error, fix=f"pip install 'rvl-edge-sdk[{extra}]'"
        ) from error
    return CudaPython()


def _installed() -> str:
    return next((name for name, package in LIBRARIES.items() if find_spec(package)), next(iter(LIBRARIES)))
