# SPDX-License-Identifier: Apache-2.0
"""The reference's side: run by an interpreter that has the PyPI package `languagebind` (requirements.txt).

Makes a checkpoint of one case with seeded weights, has the package load it back, preprocess the samples and
encode them, and writes all of it into a folder: `checkpoint/` as published, with the shapes of its state
dict, and `reference.npz`.

The package's randomness is pinned: no clip is flipped, and the windows of a long sound start at the first
index of each third, the variant its source has as a comment. Its `Resize` is not antialiased with the
torchvision that is pinned here, as with the one its authors pinned (0.14).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import languagebind
import languagebind.video.processing_video as reference_video
import numpy as np
import seeded
import soundfile
import torch
from PIL import Image
from reference_layouts import SETS, Case, Layout
from reference_samples import TEXTS, Sample, samples
from torchvision.transforms import Resize

Arrays = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("tokenizer", type=Path, help="folder of CLIP's vocab.json and merges.txt")
    parser.add_argument("set", choices=SETS)
    parser.add_argument("case")
    options = parser.parse_args()
    antialias = Resize(8).antialias
    assert antialias in (None, "warn"), f"this torchvision's Resize antialiases tensors: {antialias}"
    torch.set_grad_enabled(False)
    run(SETS[options.set][options.case], options.folder, options.tokenizer)


def run(case: Case, folder: Path, vocabulary: Path) -> None:
    """Write one checkpoint and what the package makes of the samples with it."""
    layout, checkpoint = case.published, folder / "checkpoint"
    checkpoint.mkdir(parents=True)
    write_checkpoint(case, checkpoint)
    make = getattr(languagebind, f"{layout.model_type}Tokenizer")
    tokenizer = make(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt"))
    tokenizer.save_pretrained(checkpoint)
    model = load_checkpoint(layout, checkpoint)
    np.savez(folder / "reference.npz", **encode(layout, model, tokenizer))


def write_checkpoint(case: Case, folder: Path) -> None:
    """Save a model of seeded weights as published, and list its state dict."""
    layout = case.published
    config = languagebind.config_dict[layout.modality](**case.config())
    stated = config.to_dict()  # before the constructor turns image_size into a list it cannot read again
    model = languagebind.model_dict[layout.modality](config)
    state = model.state_dict()
    for key, value in state.items():
        value.copy_(torch.from_numpy(seeded.weight(key, tuple(value.shape))))
    third = sum(4 * value.numel() for value in state.values()) // 3
    shard = third if layout.weights == "sharded" else "100GB"
    model.save_pretrained(folder, safe_serialization=layout.weights != "bin", max_shard_size=shard)
    stated |= {"architectures": [layout.model_type], "torch_dtype": "float32"}  # as save_pretrained adds
    (folder / "config.json").write_text(json.dumps(stated, indent=2, sort_keys=True) + "\n")
    lines = (f"  {json.dumps(key)}: {list(value.shape)}" for key, value in state.items())
    (folder / "state_dict.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def load_checkpoint(layout: Layout, folder: Path) -> Any:
    """The model as the package itself reads it back; a key that it passes over is an error here."""
    model, info = languagebind.model_dict[layout.modality].from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


def encode(layout: Layout, model: Any, tokenizer: Any) -> Arrays:
    """Unit-norm embeddings of seeded model inputs, of samples and of texts, and the samples' model inputs."""
    processor = languagebind.transform_dict[layout.modality](model.config, tokenizer)
    arrays = {
        "tower": unit(model.get_image_features(torch.from_numpy(seeded.model_input(layout.input_shape()))))
    }
    for sample in samples(layout.modality):
        pixels = preprocess(layout.modality, processor, sample)
        arrays[f"input/{sample.name}"] = pixels[0].numpy()
        arrays[f"embedding/{sample.name}"] = unit(model.get_image_features(pixels))[0]
    tokens = processor(text=list(TEXTS), return_tensors="pt")
    arrays["ids"] = tokens["input_ids"].numpy()
    arrays["text"] = unit(model.get_text_features(**tokens))
    return arrays


def unit(features: torch.Tensor) -> np.ndarray:
    """Normalised as `LanguageBind.forward` does, before its temperature."""
    return (features / features.norm(p=2, dim=-1, keepdim=True)).numpy()


def preprocess(modality: str, processor: Any, sample: Sample) -> torch.Tensor:
    """The package's own loader and transform, fed from a file, with its random choices pinned."""
    with tempfile.TemporaryDirectory() as folder:
        return _PREPROCESS[modality](processor, sample, Path(folder) / "sample")


def _picture(processor: Any, sample: Sample, path: Path) -> torch.Tensor:
    Image.fromarray(sample.data).save(path.with_suffix(".png"))
    return processor(str(path.with_suffix(".png")))["pixel_values"]


def _depth(processor: Any, sample: Sample, path: Path) -> torch.Tensor:
    cv2.imwrite(str(path.with_suffix(".png")), sample.data)
    return processor(str(path.with_suffix(".png")))["pixel_values"]


def _audio(processor: Any, sample: Sample, path: Path) -> torch.Tensor:
    soundfile.write(path.with_suffix(".wav"), sample.data, sample.sample_rate, "PCM_16")
    with mock.patch("numpy.random.choice", lambda starts: starts[0]):
        return processor(str(path.with_suffix(".wav")))["pixel_values"]


def _video(processor: Any, sample: Sample, path: Path) -> torch.Tensor:
    class Decoded:
        """Frames in memory in place of a decoder: codecs are not what is compared."""

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __len__(self) -> int:
            return len(sample.data)

        def get_batch(self, indices: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(sample.data[indices])

    processor.transform.transforms[-1].p = 0.0  # RandomHorizontalFlipVideo
    with mock.patch.object(reference_video, "VideoReader", Decoded):
        return processor(str(path))["pixel_values"]


_PREPROCESS: dict[str, Callable[[Any, Sample, Path], torch.Tensor]] = {
    "image": _picture,
    "thermal": _picture,
    "depth": _depth,
    "audio": _audio,
    "video": _video,
}

if __name__ == "__main__":
    main()
