# SPDX-License-Identifier: Apache-2.0
"""What Perceiver adds to its steps: ONNX Runtime alone, our session around it, and a whole perception.

Times are CPU times of the one thread that does all the work, so that a busy machine counts little; medians
of interleaved rounds. Run: python benchmarks/perceiver.py [BUNDLE]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import thread_time

import numpy as np
import onnxruntime as ort

import rvl_edge as rvl
from rvl_edge import preprocess as pre
from rvl_edge.backends.onnxruntime import OnnxRuntimeSession


def plain_runtime(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def measure(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each step."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            begin = thread_time()
            step()
            taken[name].append(1e3 * (thread_time() - begin))
    return {name: float(np.median(times)) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", help="a bundle's folder; left out, the embedded one")
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    vga = random.integers(0, 256, (480, 640, 3), np.uint8)
    counts = random.integers(28_000, 32_000, (256, 320), np.uint16)
    sound = (0.1 * random.normal(size=5 * 16_000)).astype(np.float32)
    clip = np.stack([vga] * 8)
    print(
        f"{'ms CPU':8} {'ORT alone':>10} {'session':>10} {'preprocess':>11} {'perceive':>10} {'overhead':>10}"
    )
    with rvl.Perceiver.open(arguments.bundle, threads=1) as perceiver:
        manifest = perceiver.bundle.manifest
        prepare = {
            "image": lambda spec: pre.preprocess_image(vga, spec),
            "thermal": lambda spec: pre.preprocess_thermal(counts, spec),
            "audio": lambda spec: pre.preprocess_audio(sound, spec, sample_rate=16_000),
            "video": lambda spec: pre.preprocess_video(clip, spec),
        }
        perceive = {
            "image": lambda: perceiver.image(vga),
            "thermal": lambda: perceiver.thermal(counts),
            "audio": lambda: perceiver.audio(sound, sample_rate=16_000),
            "video": lambda: perceiver.video(clip),
        }
        for sense in perceiver.modalities:
            entry = manifest.senses[sense]
            graph = perceiver.bundle.read(entry.graph)
            runtime = plain_runtime(graph)
            session = OnnxRuntimeSession(graph, name=sense, dim=manifest.embedding_dim, threads=1)
            batch = prepare[sense](entry.preprocess)[None]
            steps = {
                "runtime": lambda runtime=runtime, batch=batch: runtime.run(None, {"pixel_values": batch}),
                "session": lambda session=session, batch=batch: session.run(batch),
                "preprocess": lambda sense=sense, spec=entry.preprocess: prepare[sense](spec),
                "perceive": perceive[sense],
            }
            took = measure(steps, arguments.rounds)
            overhead = took["perceive"] - took["runtime"] - took["preprocess"]
            print(
                f"{sense:8} {took['runtime']:10.3f} {took['session']:10.3f} {took['preprocess']:11.3f} "
                f"{took['perceive']:10.3f} {overhead:10.3f}"
            )


if __name__ == "__main__":
    main()
