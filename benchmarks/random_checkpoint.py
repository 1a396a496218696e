# SPDX-License-Identifier: Apache-2.0
"""Write random weights of a card's architecture in a published layout, to measure without downloads.

python benchmarks/random_checkpoint.py languagebind-image FOLDER [--layers N] [--layout hf] [--seed 0]

Layouts of LanguageBind's cards (config.json, weights, and tokenizer files as published):
  hf        model.safetensors
  sharded   three safetensors and their index
  bin       pytorch_model.bin
  lora-old  model.safetensors with low-rank updates unmerged, named as by peft before 0.6
  lora-new  the same, named as by peft since
Layout of cards of plain CLIP, LanguageBind's image card among them:
  open_clip open_clip_config.json and open_clip_model.safetensors

A tensor depends on its name, the seed and its shape alone: all layouts of a card and seed have the same base.
"""

from __future__ import annotations

import argparse
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from rvl_edge.offline.towers import Encoder, EncoderCard, TextCard, TextEncoder, named_card
from rvl_edge.offline.towers.card import CARDS
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.types import Modality

LAYOUTS = ("hf", "sharded", "bin", "lora-old", "lora-new", "open_clip")
SHARDS = 3
LORA_ALPHA = 16
LORA_ENCODER = "vision_model.encoder.base_model.model."

Shape = tuple[int, ...]


def text_card_of(name: str) -> TextCard:
    """The card of the text tower that a sense's published checkpoints hold."""
    family = name.split("-", maxsplit=1)[0]
    names = [f"{name}-text", f"{family}-text-huge" if "huge" in name else f"{family}-text"]
    card = named_card(next(each for each in names if (CARDS / f"{each}.json").exists()))
    assert isinstance(card, TextCard)
    return card


def shortened(card: Any, section: str, layers: int | None) -> Any:
    if layers is None:
        return card
    changed = getattr(card, section).model_copy(update={"num_hidden_layers": layers})
    return card.model_copy(update={section: changed})


def shapes_of(encoder: EncoderCard, text: TextCard) -> dict[str, Shape]:
    with torch.device("meta"):
        towers = Encoder(encoder), TextEncoder(text)
    return {name: tuple(value.shape) for tower in towers for name, value in tower.state_dict().items()}


def lora_rank(card: EncoderCard) -> int:
    return 16 if card.modality in (Modality.VIDEO, Modality.AUDIO) else 2


def with_lora(shapes: dict[str, Shape], card: EncoderCard, *, new: bool) -> dict[str, Shape]:
    """LanguageBind's LoRA keys: over time only for video, over space for the other senses."""
    attention = "temporal_attn" if card.modality is Modality.VIDEO else "self_attn"
    rank, width = lora_rank(card), card.vision_config.hidden_size
    adapted = re.compile(rf"vision_model\..*\.{attention}\.\w+_proj")
    renamed: dict[str, Shape] = {}
    for name, shape in shapes.items():
        module, _, kind = name.replace("vision_model.encoder.", LORA_ENCODER).rpartition(".")
        if not adapted.fullmatch(module):
            renamed[f"{module}.{kind}" if module else kind] = shape
            continue
        renamed[f"{module}.base_layer.{kind}" if new else f"{module}.{kind}"] = shape
        if kind == "weight":
            renamed[f"{module}.lora_A.default.weight"] = (rank, width)
            renamed[f"{module}.lora_B.default.weight"] = (width, rank)
    return renamed


def random_tensor(name: str, shape: Shape, seed: int) -> Tensor:
    """Values under which activations keep their size through any depth, and none of which is zero or one."""
    plain = name.replace(LORA_ENCODER, "vision_model.encoder.").replace("base_layer.", "")
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{plain}".encode()))
    if not shape:  # logit_scale
        return torch.tensor(4.5 + torch.rand((), generator=generator).item() / 10)
    values = torch.randn(shape, generator=generator)
    if "norm" in name or "layrnorm" in name:
        return values.mul_(0.1).add_(1.0 if name.endswith("weight") else 0.0)
    if name.endswith("bias"):
        return values.mul_(0.05)
    if "embedding" in name and "patch" not in name:
        return values.mul_(0.3)
    damped = 0.1 if "lora_B" in name else 0.5 if "out_proj" in name or "fc2" in name else 1.0
    return values.mul_(damped * values[0].numel() ** -0.5)


def tensors(shapes: dict[str, Shape], seed: int) -> dict[str, Tensor]:
    return {name: random_tensor(name, shape, seed) for name, shape in shapes.items()}


def shards_of(shapes: dict[str, Shape]) -> Iterator[dict[str, Shape]]:
    names = sorted(shapes)
    for index in range(SHARDS):
        yield {name: shapes[name] for name in names[index::SHARDS]}


def write_hugging_face(folder: Path, shapes: dict[str, Shape], layout: str, seed: int) -> None:
    if layout == "bin":
        torch.save(tensors(shapes, seed), folder / "pytorch_model.bin")
    elif layout == "sharded":
        places: dict[str, str] = {}
        for index, part in enumerate(shards_of(shapes), start=1):
            name = f"model-{index:05}-of-{SHARDS:05}.safetensors"
            safetensors.torch.save_file(tensors(part, seed), folder / name, {"format": "pt"})
            places |= dict.fromkeys(part, name)
        index_of = {"metadata": {}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index_of, indent=2))
    else:
        safetensors.torch.save_file(tensors(shapes, seed), folder / "model.safetensors", {"format": "pt"})


def languagebind_config(encoder: EncoderCard, text: TextCard, *, lora: bool) -> dict[str, Any]:
    """As transformers writes it, with the leftover `projection_dim` in both sections that nothing reads."""
    name = f"LanguageBind{encoder.modality.value.capitalize()}"
    vision = encoder.vision_config.model_dump(mode="json", by_alias=True)
    vision |= {"projection_dim": 512, "num_channels": 3, "tube_size": 1}
    vision |= {"lora_r": lora_rank(encoder) if lora else 0, "lora_alpha": LORA_ALPHA, "lora_dropout": 0.0}
    preprocess = encoder.preprocess
    if preprocess.kind == "audio":
        vision |= {"num_mel_bins": preprocess.num_mel_bins, "target_length": preprocess.target_length}
        vision |= {"audio_sample_rate": preprocess.sample_rate}
        vision |= {"audio_mean": preprocess.mean, "audio_std": preprocess.std / 2}
    if preprocess.kind == "depth":
        vision |= {"max_depth": preprocess.max_depth}
    return {
        "architectures": [name],
        "model_type": name,
        "projection_dim": encoder.projection_dim,
        "logit_scale_init_value": 2.6592,
        "text_config": text.text_config.model_dump(mode="json") | {"projection_dim": 512},
        "vision_config": vision,
    }


def write_tokenizer(folder: Path, text: TextCard) -> None:
    """`vocab.json` and `merges.txt` as CLIP's tokenizer of transformers keeps them."""
    model = json.loads(build_tokenizer(text.text_config.vocab_size).to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in model["merges"]), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    length = text.text_config.max_position_embeddings
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))


def open_clip_config(encoder: EncoderCard, text: TextCard) -> dict[str, Any]:
    vision, words, preprocess = encoder.vision_config, text.text_config, encoder.preprocess
    return {
        "model_cfg": {
            "embed_dim": encoder.projection_dim,
            "quick_gelu": vision.hidden_act == "quick_gelu",
            "vision_cfg": {
                "image_size": vision.image_size,
                "layers": vision.num_hidden_layers,
                "width": vision.hidden_size,
                "head_width": vision.hidden_size // vision.num_attention_heads,
                "mlp_ratio": vision.intermediate_size / vision.hidden_size,
                "patch_size": vision.patch_size,
            },
            "text_cfg": {
                "context_length": words.max_position_embeddings,
                "vocab_size": words.vocab_size,
                "width": words.hidden_size,
                "heads": words.num_attention_heads,
                "layers": words.num_hidden_layers,
                "mlp_ratio": words.intermediate_size / words.hidden_size,
            },
        },
        "preprocess_cfg": {"mean": preprocess.mean, "std": preprocess.std},
    }


def open_clip_weights(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """LanguageBind's names and matrices as open_clip has them; `given` is emptied."""
    swaps = {
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "visual_projection.weight": "visual.proj",
        "text_projection.weight": "text_projection",
    }
    parts = {
        "vision_model.encoder.layers.": "visual.transformer.resblocks.",
        "text_model.encoder.layers.": "transformer.resblocks.",
        "vision_model.pre_layrnorm": "visual.ln_pre",
        "vision_model.post_layernorm": "visual.ln_post",
        "text_model.final_layer_norm": "ln_final",
        "layer_norm": "ln_",
        "self_attn.": "attn.",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    renamed: dict[str, Tensor] = {}
    for name in sorted(given):
        if name not in given or ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            value = torch.cat([given.pop(name.replace("q_proj", f"{each}_proj")) for each in "qkv"])
        else:
            value = given.pop(name)
        new = swaps.get(name, name)
        for ours, theirs in parts.items():
            new = new.replace(ours, theirs)
        new = new.replace("attn.q_proj.", "attn.in_proj_")
        renamed[new] = value.T.contiguous() if name.endswith("_projection.weight") else value
    return renamed


def write_open_clip(folder: Path, shapes: dict[str, Shape], seed: int) -> None:
    weights = open_clip_weights(tensors(shapes, seed))
    safetensors.torch.save_file(weights, folder / "open_clip_model.safetensors", {"format": "pt"})


def write(name: str, folder: Path, *, layers: int | None = None, layout: str = "hf", seed: int = 0) -> None:
    """Fill `folder` with a checkpoint of the card `name`; `layers` shortens both towers."""
    encoder, text = named_card(name), text_card_of(name)
    if not isinstance(encoder, EncoderCard):
        raise SystemExit(f"{name} is a text tower's card; give a sense's, which brings its text tower")
    encoder, text = shortened(encoder, "vision_config", layers), shortened(text, "text_config", layers)
    shapes = shapes_of(encoder, text)
    folder.mkdir(parents=True, exist_ok=True)
    if layout == "open_clip":
        if encoder.modality is not Modality.IMAGE:
            raise SystemExit("open_clip has pictures and text only")
        (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(encoder, text), indent=2))
        write_open_clip(folder, shapes, seed)
        return
    lora = layout.startswith("lora")
    config = languagebind_config(encoder, text, lora=lora)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    write_tokenizer(folder, text)
    if lora:
        shapes = with_lora(shapes, encoder, new=layout == "lora-new")
    write_hugging_face(folder, shapes, layout, seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", help="name of a sense's card, as languagebind-video")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, help="blocks of each tower; the card's number unless told")
    parser.add_argument("--layout", choices=LAYOUTS, default="hf")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.card, options.folder, layers=options.layers, layout=options.layout, seed=options.seed)


if __name__ == "__main__":
    main()
