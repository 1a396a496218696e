# SPDX-License-Identifier: Apache-2.0
"""A small image encoder as a checkpoint, twenty pictures in CIFAR-10's folder form, and prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

from rvl_edge.offline.datasets.cifar10 import CLASSES
from rvl_edge.offline.towers import Encoder, EncoderCard, save_checkpoint
from rvl_edge.offline.towers.card import VisionConfig
from rvl_edge.preprocess.spec import ImageSpec
from rvl_edge.types import Modality

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "export/checkpoints/tiny/text"
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class SmallSets:
    """Folders of a test's own."""

    data: Path
    checkpoint: Path
    labels: Path
    text: Path = TEXT


def write_small_sets(folder: Path) -> SmallSets:
    random = np.random.default_rng(0)
    for name in CLASSES:
        pictures = folder / "data/cifar10/test" / name
        pictures.mkdir(parents=True)
        for number in range(2):
            blots = cv2.resize(random.integers(0, 255, (4, 4, 3)).astype(np.uint8), (32, 32))
            cv2.imwrite(str(pictures / f"{number}.png"), blots)
    (folder / "labels").mkdir()
    (folder / "labels/templates.yaml").write_text(yaml.safe_dump({"image": ["a photo of a {}"]}))
    save_checkpoint(small_encoder(), folder / "checkpoint", dtype=torch.float32)
    return SmallSets(folder / "data", folder / "checkpoint", folder / "labels")


def small_encoder() -> Encoder:
    """Random, of the size of the package's text, for pictures of 32 pixels."""
    config = VisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    spec = ImageSpec(size=32, mean=HALF, std=HALF)
    card = EncoderCard(modality=Modality.IMAGE, projection_dim=128, vision_config=config, preprocess=spec)
    encoder, generator = Encoder(card), torch.Generator().manual_seed(0)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return encoder.eval()
