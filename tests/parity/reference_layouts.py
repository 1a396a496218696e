# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's published layouts as configs, at any width and depth; standard library only.

Read by both sides: the reference in its own environment, and the tests here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

AUDIO = {
    "num_mel_bins": 112,
    "target_length": 1036,
    "audio_sample_rate": 16000,
    "audio_mean": -4.2677393,
    "audio_std": 4.5689974,
}
VIDEO = {"add_time_attn": True, "num_frames": 8}
V15 = {**VIDEO, "clip_type": "vl_new", "tube_size": 1}


@dataclass(frozen=True)
class Size:
    """Widths of the two towers; heads and token grids are the published ones whatever the width."""

    vision: int
    vision_mlp: int
    text: int
    text_mlp: int
    text_heads: int
    projection: int


LARGE = Size(vision=1024, vision_mlp=4096, text=768, text_mlp=3072, text_heads=12, projection=768)
HUGE = Size(vision=1280, vision_mlp=5120, text=1024, text_mlp=4096, text_heads=16, projection=1024)
NARROW = Size(vision=64, vision_mlp=128, text=48, text_mlp=96, text_heads=12, projection=32)
WIDE = Size(vision=1024, vision_mlp=4096, text=48, text_mlp=96, text_heads=12, projection=768)


@dataclass(frozen=True)
class Layout:
    """One published repository: what its `vision_config` says beyond the size, and how its weights are filed.

    `weights` is `bin` (the pickled state dict that LanguageBind published), `safetensors`, or `sharded`.
    """

    name: str
    modality: str
    lora_r: int = 0
    weights: str = "bin"
    size: Size = LARGE
    vision: dict[str, Any] = field(default_factory=dict)

    @property
    def model_type(self) -> str:
        return f"LanguageBind{self.modality.capitalize()}"

    def config(self, layers: tuple[int, int], size: Size | None) -> dict[str, Any]:
        """Fields of `config.json` for a depth (vision, text) and, if not the published one, a width."""
        size = size or self.size
        depth, text_depth = layers
        return {
            "architectures": [self.model_type],
            "model_type": self.model_type,
            "projection_dim": size.projection,
            "logit_scale_init_value": 2.6592,
            "text_config": {
                "hidden_size": size.text,
                "intermediate_size": size.text_mlp,
                "num_hidden_layers": text_depth,
                "num_attention_heads": size.text_heads,
                "hidden_act": "gelu",
                "vocab_size": 49408,
                "max_position_embeddings": 77,
            },
            "vision_config": {
                "hidden_size": size.vision,
                "intermediate_size": size.vision_mlp,
                "num_hidden_layers": depth,
                "num_attention_heads": 16,
                "hidden_act": "gelu",
                "image_size": 224,
                "patch_size": 14,
                "lora_r": self.lora_r,
                "lora_alpha": 16,
                **self.vision,
            },
        }

    def input_shape(self) -> tuple[int, ...]:
        """Shape of one model input."""
        if self.modality == "audio":
            return 3, 112, 1036
        return (3, 8, 224, 224) if self.modality == "video" else (3, 224, 224)


@dataclass(frozen=True)
class Case:
    """A layout at a width and a depth (vision, text); `size` None is the published width."""

    layout: str
    size: Size | None = None
    layers: tuple[int, int] = (2, 2)

    @property
    def published(self) -> Layout:
        return LAYOUTS[self.layout]

    def config(self) -> dict[str, Any]:
        return self.published.config(self.layers, self.size)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("image", "image", weights="safetensors"),
        Layout("thermal-lora", "thermal", lora_r=2),
        Layout("depth-lora", "depth", lora_r=2, weights="sharded"),
        Layout("audio-lora", "audio", lora_r=16, vision=AUDIO),
        Layout("audio-ft", "audio", vision=AUDIO),
        Layout("video-lora", "video", lora_r=16, vision=VIDEO),
        Layout("video-ft", "video", vision=VIDEO),
        Layout("video-v1.5-ft", "video", vision=V15),
        Layout("video-huge-v1.5-ft", "video", size=HUGE, vision=V15),
    )
}

# Narrow, and so quick; Huge differs from V1.5 in its size alone. One case has a sense's tower of true width.
GOLDEN = {name: Case(name, NARROW) for name in LAYOUTS if "huge" not in name} | {
    "thermal-lora-wide": Case("thermal-lora", WIDE)
}
FULL_WIDTH = {name: Case(name) for name in LAYOUTS}
FULL_DEPTH = {
    name: Case(name, layers=(24, 12)) for name in ("image", "audio-ft", "video-ft", "video-v1.5-ft")
}
SETS = {"golden": GOLDEN, "full-width": FULL_WIDTH, "full-depth": FULL_DEPTH}
