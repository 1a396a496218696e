# SPDX-License-Identifier: Apache-2.0
"""The embedded bundle says the same on every backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cpu_backends import CPU_BACKENDS

import rvl_edge as rvl
from rvl_edge import preprocess as pre
from rvl_edge.backends import DEFAULT_BACKEND
from rvl_edge.types import FloatArray

OTHERS = [each for each in CPU_BACKENDS if each != DEFAULT_BACKEND]
RANDOM = np.random.default_rng(3)
PICTURE = RANDOM.integers(0, 256, (48, 64, 3), np.uint8)
COUNTS = RANDOM.integers(20_000, 40_000, (50, 60), np.uint16)
SOUND = (0.1 * RANDOM.normal(size=16_000)).astype(np.float32)
SAMPLES: dict[str, Callable[[rvl.Perceiver], rvl.Perception]] = {
    "image": lambda perceiver: perceiver.image(PICTURE),
    "thermal": lambda perceiver: perceiver.thermal(COUNTS),
    "audio": lambda perceiver: perceiver.audio(SOUND, sample_rate=16_000),
    "video": lambda perceiver: perceiver.video(np.stack([PICTURE] * 8)),
}
# float32: rounding, which twelve blocks amplify; bfloat16 has 8 bits
COSINE = {"openvino": 1 - 1e-6, "openvino-bf16": 0.999}


@pytest.mark.parametrize("backend", OTHERS)
def test_every_sense(backend: str) -> None:
    pytest.importorskip("openvino", reason="backend openvino is not installed")
    with rvl.Perceiver.open() as portable, rvl.Perceiver.open(backend=backend) as other:
        for sense, perceive in SAMPLES.items():
            first, second = perceive(portable), perceive(other)
            assert first.embedding @ second.embedding > COSINE[backend], sense
            assert first.labels[0].name == second.labels[0].name, sense


@pytest.mark.data
@pytest.mark.parametrize("backend", OTHERS)
def test_labels_of_real_pictures(backend: str, data_dir: Path) -> None:
    pytest.importorskip("openvino", reason="backend openvino is not installed")
    pictures = np.load(data_dir / "cifar10" / "cifar10_test1000_raw.npz")["images"][:200]

    def embed(perceiver: rvl.Perceiver) -> tuple[FloatArray, FloatArray]:
        spec = perceiver.bundle.manifest.senses[rvl.Modality.IMAGE].preprocess
        batch = np.stack([pre.preprocess_image(each, spec) for each in pictures])
        return perceiver.encode_batch("image", batch), perceiver.anchors("image").matrix

    with rvl.Perceiver.open(modalities=["image"]) as portable:
        wanted, wanted_anchors = embed(portable)
    with rvl.Perceiver.open(modalities=["image"], backend=backend) as other:
        found, anchors = embed(other)
    assert np.einsum("nd,nd->n", wanted, found).min() > COSINE[backend]
    same = (wanted @ wanted_anchors.T).argmax(axis=1) == (found @ anchors.T).argmax(axis=1)
    assert same.mean() >= (1.0 if backend == "openvino" else 0.98)
