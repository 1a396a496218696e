# SPDX-License-Identifier: Apache-2.0
"""Everything there is to measure on a GPU, in one call, step by step; a step that fails says why and goes on.

python benchmarks/gpu.py OUT.json [--bundle BUNDLE] [--checkpoint DIR] [--flavour tensorrt-rtx] [--runs 1000]

1. what is there: GPU, driver, packages
2. ceilings: copies and matrix products, by torch
3. build: an engine for this GPU, by each TensorRT that is installed (does it support the GPU at all?)
4. run: parity with ONNX Runtime on the CPU, with CUDA graphs and without
5. time: p50, p90, p99, max of caller, GPU and queue over 1,000 runs, batch 1 to 64
6. the same batches by torch eager, torch.compile and ONNX Runtime's CUDA provider

The bundle is copied first. Without one it is the embedded one, whose encoders are tiny.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from rvl_edge.backends import DEFAULT_BACKEND, open_session
from rvl_edge.backends.cuda import open_cuda
from rvl_edge.backends.tensorrt.flavours import FLAVOURS, import_tensorrt
from rvl_edge.backends.tensorrt.opening import open_engine
from rvl_edge.benchmarking import Machine, Times
from rvl_edge.benchmarking.flops import count_gflop
from rvl_edge.benchmarking.gpu import time_engine
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import BatchRange, EngineFlavour
from rvl_edge.bundle.opening import DEFAULT_BUNDLE
from rvl_edge.errors import RvlEdgeError
from rvl_edge.offline.building import build_engines
from rvl_edge.offline.building.recipe import BuildRecipe
from rvl_edge.types import Modality

BATCHES = (1, 4, 8, 16, 64)
PROFILES = (
    BatchRange(smallest=1, best=1, largest=1),
    BatchRange(smallest=2, best=8, largest=16),
    BatchRange(smallest=17, best=64, largest=64),
)


def there() -> dict[str, Any]:
    found: dict[str, Any] = {"machine": asdict(Machine.this())}
    fields = "name,driver_version,clocks.max.sm,power.limit,temperature.gpu"
    if shutil.which("nvidia-smi"):  # Jetsons have none
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
        found["nvidia-smi"] = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found["device"] = asdict(open_cuda().device)
    return found


def ceilings() -> dict[str, Any]:
    from rvl_edge.offline.gpu_ceilings import measure_ceilings

    return asdict(measure_ceilings())


def built(root: Path, modality: Modality, flavour: EngineFlavour) -> dict[str, Any]:
    here = open_cuda().device.compute_capability
    recipe = BuildRecipe(
        target=f"gpu-{flavour}",
        flavour=flavour,
        compute_capabilities=(here,),
        senses=(modality,),
        batches=PROFILES,
        sentinels=False,
    )
    (engine,) = build_engines(recipe, root, on_device=True).engines
    return {
        "release": import_tensorrt(flavour).__version__,
        "seconds": engine.seconds,
        "mb": engine.entry.engine.size / 1e6,
        "note": engine.note,
    }


def run_and_timed(root: Path, modality: Modality, flavour: EngineFlavour, runs: int) -> dict[str, Any]:
    bundle = Bundle.open(root)
    entry = bundle.manifest.senses[modality]
    files = bundle.load(entry)
    dim = bundle.manifest.embedding_dim
    samples = np.random.default_rng(0).standard_normal((8, *entry.input_shape), dtype=np.float32)
    reference = open_session(files.graph, name=entry.graph.path, dim=dim, weights=files.weights)
    wanted = reference.run(samples)
    reference.close()
    gflop = count_gflop(files, samples[:1], entry.graph.path)
    found: dict[str, Any] = {"gflop": gflop}
    for graphs in (False, True):
        begin = perf_counter()
        session = open_engine(bundle, entry, flavour, graphs=graphs)
        embeddings = [session.run(samples) for _ in range(3)]  # plain, as it is recorded, recorded
        found[f"graphs {graphs}"] = {
            "description": session.description,
            "load seconds": perf_counter() - begin,
            "smallest cosine": [float((each * wanted).sum(axis=1).min()) for each in embeddings],
            "largest difference": [float(np.abs(each - wanted).max()) for each in embeddings],
            "times": [asdict(time_engine(session, size, gflop=gflop, runs=runs)) for size in BATCHES],
        }
        session.close()
    return found


def torch_timed(checkpoint: Path, runs: int) -> dict[str, Any]:
    import torch

    from rvl_edge.offline.towers import open_checkpoint

    encoder = open_checkpoint(checkpoint).eval().cuda().half()
    spec = encoder.card.preprocess  # type: ignore[union-attr]
    from rvl_edge.offline.exporting.samples import model_input

    sample = torch.from_numpy(model_input(spec, np.random.default_rng(0))).cuda().half()
    ways = {"eager": encoder, "compile": torch.compile(encoder, mode="max-autotune")}
    found: dict[str, Any] = {"torch": torch.__version__}
    for name, way in ways.items():
        for size in BATCHES:
            batch = sample.expand(size, *sample.shape).contiguous()
            with torch.inference_mode():
                found[f"{name} batch {size}"] = asdict(Times.of(_gpu_times(partial(way, batch), runs)))
    return found


def _gpu_times(work: Callable[[], object], runs: int) -> list[float]:
    import torch

    times = []
    for at in range(runs + 50):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        if at >= 50:
            times.append(begin.elapsed_time(end))
    return times


def onnxruntime_timed(root: Path, modality: Modality, backend: str, runs: int) -> dict[str, Any]:
    bundle = Bundle.open(root)
    entry = bundle.manifest.senses[modality]
    files = bundle.load(entry)
    session = open_session(
        files.graph,
        name=entry.graph.path,
        dim=bundle.manifest.embedding_dim,
        weights=files.weights,
        backend=backend,
    )
    found: dict[str, Any] = {"description": session.description}
    for size in BATCHES:
        batch = session.io.input.sample(size)
        times = []
        for at in range(runs // 4 + 20):
            begin = perf_counter()
            session.run(batch)
            if at >= 20:
                times.append(1e3 * (perf_counter() - begin))
        found[f"batch {size}"] = asdict(Times.of(times))
    session.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--modality", type=Modality, default=Modality.IMAGE)
    parser.add_argument("--checkpoint", type=Path, help="what the bundle's encoder was exported from")
    parser.add_argument("--flavour", action="append", choices=FLAVOURS)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    results: dict[str, Any] = {}

    def step(name: str, work: Callable[[], dict[str, Any]]) -> bool:
        print(name, file=sys.stderr, flush=True)
        try:
            results[name] = work()
        except RvlEdgeError as error:
            results[name] = {"error": str(error)}
        except Exception:
            results[name] = {"error": traceback.format_exc()}
        options.out.write_text(
            json.dumps(results, indent=1) + "\n"
        )  # what is there stays if the next step dies
        return "error" not in results[name]

    step("there", there)
    step("ceilings", ceilings)
    with TemporaryDirectory() as folder:
        root = Path(shutil.copytree(options.bundle, Path(folder) / "bundle"))
        for flavour in options.flavour or FLAVOURS:
            if step(f"{flavour} build", partial(built, root, options.modality, flavour)):
                step(f"{flavour} run", partial(run_and_timed, root, options.modality, flavour, options.runs))
        for backend in ("onnxruntime-cuda", "onnxruntime-tensorrt", DEFAULT_BACKEND):
            runs = options.runs if backend != DEFAULT_BACKEND else min(options.runs, 40)
            step(backend, partial(onnxruntime_timed, root, options.modality, backend, runs))
    if options.checkpoint is not None:
        step("torch", partial(torch_timed, options.checkpoint, options.runs))


if __name__ == "__main__":
    main()
