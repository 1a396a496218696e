# SPDX-License-Identifier: Apache-2.0
"""One ONNX graph -> one engine, by whichever TensorRT.

The network is strongly typed: every layer computes in the type that the graph says. That is the only way
TensorRT 11 and tensorrt_rtx know, and 10.3 builds the same graph the same way.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rvl_edge.backends.tensorrt.engine import TensorRtEngine
from rvl_edge.backends.tensorrt.flavours import Log
from rvl_edge.bundle.engines import Machine
from rvl_edge.bundle.manifest import BatchRange, weights_path
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import BackendError, ConfigError
from rvl_edge.offline.building.monitor import Progress
from rvl_edge.offline.building.timing_cache import TimingCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tensorrt


@dataclass(frozen=True)
class Settings:
    """How to build.

    Attributes:
        batches: one optimisation profile each.
        compute_capabilities: the GPUs to build for; only tensorrt_rtx builds for others than the one here.
        machine: the GPU here; None without one.
        workspace_mib: device memory that tactics may use; None is all of it.
        optimization_level: 0 to 5; higher builds longer.
        cache: folder of the timing cache; None is the user's cache folder.
    """

    batches: Sequence[BatchRange]
    compute_capabilities: Sequence[str]
    machine: Machine | None
    workspace_mib: int | None = None
    optimization_level: int = 3
    cache: Path | None = None


@dataclass(frozen=True)
class Built:
    """An engine that was built.

    Attributes:
        content: its bytes.
        layers: JSON for people: how many layers of each kind compute in which type, and what TensorRT made
            of them.
        note: why the timing cache could not be kept, or None.
    """

    content: memoryview
    layers: bytes
    note: str | None


def build_engine(trt: Any, files: GraphFiles, name: str, settings: Settings, progress: Progress) -> Built:
    """Build an engine.

    Args:
        trt: the TensorRT package.
        files: the graph.
        name: its path in the bundle.
        settings: how.
        progress: told how far it is; can stop it.

    Raises:
        ConfigError: the package does not build for one of the compute capabilities.
        BackendError: TensorRT cannot read the graph (says which node) or cannot build it.
    """
    log = Log()
    logger = log.attach(trt)
    builder: tensorrt.Builder = trt.Builder(logger)
    network: tensorrt.INetworkDefinition = builder.create_network(
        1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    )
    # The network refers to the parser's memory: weights are not copied.
    parser: tensorrt.OnnxParser = trt.OnnxParser(network, logger)
    with _parsed(parser, files, name) as well:
        if not well:
            raise _parse_failure(trt, parser, name)
        config: tensorrt.IBuilderConfig = builder.create_builder_config()
        monitor = progress.attach(trt)
        config.progress_monitor = monitor
        config.builder_optimization_level = settings.optimization_level
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if settings.workspace_mib is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
        _add_profiles(builder, network, config, settings.batches)
        timings = _aim(trt, config, settings)
        content: Any = builder.build_serialized_network(network, config)  # None if it failed
    if content is None:
        if progress.stopped.is_set():
            raise BackendError(f"the build of {name} was stopped")
        raise log.failure(f"{trt.__name__} {trt.__version__} cannot build {name}", fix=_build_fix(log))
    engine = memoryview(content)
    # From the inspector where there is a GPU to load the engine, else from what the builder wrote to its log.
    described: object = (log.layers or "").splitlines()
    if settings.machine is not None:
        described = json.loads(TensorRtEngine(trt, bytes(engine), name=name, digest="").layers())
    layers = {
        "graph": name,
        "built by": f"{trt.__name__} {trt.__version__}",
        "network": _typed_layers(network),
        "engine": described,
        "warnings": list(log.warnings),
    }
    note = None if timings is None else timings.keep()
    return Built(engine, (json.dumps(layers, indent=1) + "\n").encode(), note)


@contextmanager
def _parsed(parser: Any, files: GraphFiles, name: str) -> Iterator[bool]:
    """Parse from memory; a graph with external data from files that nobody else can reach."""
    if files.weights is None:
        yield parser.parse(files.graph)
        return
    with TemporaryDirectory(prefix="rvl-edge-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / PurePosixPath(name).name
        path.write_bytes(files.graph)
        Path(weights_path(str(path))).write_bytes(files.weights)
        yield parser.parse_from_file(str(path))


def _parse_failure(trt: Any, parser: Any, name: str) -> BackendError:
    errors = [parser.get_error(at) for at in range(parser.num_errors)]
    found = [
        f"node {each.node_name() or '?'} ({each.node_operator() or '?'}): {each.desc()}" for each in errors
    ]
    return BackendError(
        f"{trt.__name__} {trt.__version__} cannot read {name}",
        got="; ".join(dict.fromkeys(found)) or "no reason was given",
        fix="export with a lower `opset`, or use a newer TensorRT",
    )


def _add_profiles(builder: Any, network: Any, config: Any, batches: Sequence[BatchRange]) -> None:
    source = network.get_input(0)
    sample = tuple(source.shape)[1:]
    for each in batches:
        profile = builder.create_optimization_profile()
        shapes = ((size, *sample) for size in (each.smallest, each.best, each.largest))
        profile.set_shape(source.name, *shapes)
        config.add_optimization_profile(profile)


def _aim(trt: Any, config: Any, settings: Settings) -> TimingCache | None:
    """Say which GPUs to build for; returns the timing cache, where the build measures on the GPU here."""
    if not hasattr(config, "set_compute_capability"):
        assert settings.machine is not None  # `build_engines` asked for the GPU
        return TimingCache(trt, config, settings.machine, settings.cache)
    known = trt.ComputeCapability.__members__
    if settings.machine is not None:  # TensorRT itself says whether it supports this GPU
        config.num_compute_capabilities = 1
        config.set_compute_capability(known["CURRENT"], 0)
        return None
    names = [f"SM{each.replace('.', '')}" for each in settings.compute_capabilities]
    unknown = [
        each for each, name in zip(settings.compute_capabilities, names, strict=True) if name not in known
    ]
    if unknown:
        raise ConfigError(
            f"{trt.__name__} {trt.__version__} does not build for these GPUs",
            got=f"compute capability {', '.join(unknown)}",
            expected=", ".join(f"{each[2:-1]}.{each[-1]}" for each in known if each.startswith("SM")),
            fix="build on the machine itself, with --on-device",
        )
    config.num_compute_capabilities = len(names)
    for at, each in enumerate(names):
        config.set_compute_capability(known[each], at)
    return None


def _typed_layers(network: Any) -> dict[str, int]:
    """How many layers of each kind and type the network has, such as "softmax float": float32."""
    kinds: Counter[str] = Counter()
    for at in range(network.num_layers):
        layer = network.get_layer(at)
        types = {layer.get_output(each).dtype.name.lower() for each in range(layer.num_outputs)}
        kinds[f"{layer.type.name.lower()} {'+'.join(sorted(types))}"] += 1
    return dict(sorted(kinds.items()))


def _build_fix(log: Log) -> str:
    said = " ".join(log.errors).lower()
    if "memory" in said or "alloc" in said:
        return "free memory, lower `workspace_mib`, or build with a smaller largest batch"
    if "hw-specific datatypes" in said:
        return (
            "leave out older GPUs: bfloat16 needs compute capability 8.0, FP8 8.9; or use another precision"
        )
    return "lower `optimization_level`, or use another release of TensorRT; the messages say what it misses"
