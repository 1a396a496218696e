# SPDX-License-Identifier: Apache-2.0
"""From a bundle to a running engine, in this order: fits, hash agrees, deserialised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rvl_edge._board import board_model
from rvl_edge.backends.cuda import Cuda, open_cuda
from rvl_edge.backends.tensorrt.engine import TensorRtEngine
from rvl_edge.backends.tensorrt.executor import Executor
from rvl_edge.backends.tensorrt.flavours import import_tensorrt
from rvl_edge.backends.tensorrt.session import TensorRtSession
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.engines import Machine, choose_engine
from rvl_edge.bundle.manifest import EngineEntry, EngineFlavour, GraphEntry


def this_machine(flavour: EngineFlavour, trt: Any, cuda: Cuda, root: Path = Path("/")) -> Machine:
    """What an engine has to fit to run here.

    The driver of every Orin, from Nano to AGX, calls its GPU "Orin"; so a board's model is part of the name.

    Args:
        flavour: which TensorRT is asked for.
        trt: its package.
        cuda: the GPU.
        root: where /proc is.
    """
    device, board = cuda.device, board_model(root)
    name = device.name if board is None else f"{device.name}, {board}"
    return Machine(flavour, trt.__version__, device.compute_capability, name)


def find_engine(entry: GraphEntry, flavour: EngineFlavour) -> tuple[Any, Cuda, EngineEntry]:
    """TensorRT's package, the GPU, and the engine of a graph that fits both; nothing is loaded.

    Raises:
        MissingDependency: TensorRT or a CUDA binding is not installed.
        EngineError: no engine of the graph may run here.
        BackendError: there is no GPU.
    """
    trt = import_tensorrt(flavour)
    cuda = open_cuda()
    return trt, cuda, choose_engine(entry, this_machine(flavour, trt, cuda))


def open_engine(
    bundle: Bundle, entry: GraphEntry, flavour: EngineFlavour, *, graphs: bool = True
) -> TensorRtSession:
    """Run a graph of a bundle by the engine that was built from it for this machine.

    Args:
        bundle: an opened bundle.
        entry: one of its graphs.
        flavour: which TensorRT to use.
        graphs: whether to record CUDA graphs.

    Raises:
        MissingDependency: TensorRT or a CUDA binding is not installed.
        EngineError: no engine of the bundle may run here.
        BundleError: the engine is not the one the manifest was written for.
        GpuOutOfMemory, BackendError: TensorRT or the GPU cannot load it.
    """
    trt, cuda, chosen = find_engine(entry, flavour)
    content = bundle.read(chosen.engine)
    name, digest = chosen.engine.path, chosen.engine.sha256
    engine = TensorRtEngine(trt, content, name=name, digest=digest)
    executor = Executor(engine, cuda, graphs=graphs)
    return TensorRtSession(
        engine,
        executor,
        name=name,
        dim=bundle.manifest.embedding_dim,
        description=f"{flavour} {trt.__version__}, {entry.precision} on {cuda.device.name}, "
        f"engine {digest[:12]}",
    )
