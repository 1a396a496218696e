# SPDX-License-Identifier: Apache-2.0
"""Time, size and memory of building engines of full-size encoders with random weights.

python benchmarks/engine_builds.py languagebind-image languagebind-audio --precision float16

Each graph is exported and each engine built in a process of its own, whose peak memory is the step's. Needs
tensorrt_rtx, no GPU, and for ViT-L/14 about 6 GB of memory. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

CAPABILITIES = ("8.6", "8.9", "12.0")


def export(card: str, precision: str, graph: Path) -> dict[str, Any]:
    import numpy as np
    import torch

    from rvl_edge.offline.exporting.encoder import write_graph
    from rvl_edge.offline.exporting.samples import model_input
    from rvl_edge.offline.towers import Encoder, EncoderCard, named_card

    found = named_card(card)
    assert isinstance(found, EncoderCard)
    torch.manual_seed(0)
    encoder = Encoder(found).eval()
    random = np.random.default_rng(0)
    example = np.stack([model_input(found.preprocess, random) for _ in range(2)])
    write_graph(encoder, example, graph, precision=precision, weights="float32", opset=18)  # type: ignore[arg-type]
    return {"graph_mb": round(graph.stat().st_size / 1e6, 1)}


def build(card: str, _precision: str, graph: Path) -> dict[str, Any]:
    from rvl_edge.backends.tensorrt.flavours import import_tensorrt
    from rvl_edge.bundle.manifest import BatchRange
    from rvl_edge.bundle.opening import GraphFiles
    from rvl_edge.offline.building.builder import Settings, build_engine
    from rvl_edge.offline.building.monitor import Progress

    settings = Settings((BatchRange(smallest=1, best=1, largest=8),), CAPABILITIES, None)
    trt = import_tensorrt("tensorrt-rtx")
    built = build_engine(trt, GraphFiles(graph.read_bytes(), None), card, settings, Progress(card, None))
    network = json.loads(built.layers)["network"]
    products = {each: count for each, count in network.items() if each.startswith("matrix_multiply")}
    return {"engine_mb": round(len(built.content) / 1e6, 1), "products": products, "by": trt.__version__}


STEPS = {"export": export, "build": build}


def measured(step: str, card: str, precision: str, graph: Path) -> dict[str, Any]:
    """One step, in this process; with its wall time, CPU time and peak memory."""
    begin = perf_counter()
    result = STEPS[step](card, precision, graph)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **result,
        "seconds": round(perf_counter() - begin, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gb": round(used.ru_maxrss / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", nargs="+", help="name of an encoder's card")
    parser.add_argument("--precision", action="append", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--folder", type=Path, help="where graphs are put for a while")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        graph = options.folder / "graph.onnx"
        print(json.dumps(measured(options.step, options.card[0], options.precision[0], graph)))
        return
    results = []
    for card in options.card:
        for precision in options.precision or ["float16"]:
            with TemporaryDirectory(dir=options.folder) as folder:
                command = [sys.executable, __file__, card, "--precision", precision, "--folder", folder]
                found: dict[str, Any] = {"card": card, "precision": precision}
                for step in STEPS:
                    done = subprocess.run([*command, "--step", step], stdout=subprocess.PIPE, check=True)
                    found[step] = json.loads(done.stdout.splitlines()[-1])
            results.append(found)
            print(json.dumps(found), file=sys.stderr, flush=True)
    print(
        json.dumps(
            {"cpus": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0], "results": results}, indent=1
        )
    )


if __name__ == "__main__":
    main()
