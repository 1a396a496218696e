# SPDX-License-Identifier: Apache-2.0
"""open_clip's models and RobustCLIP's visual state dicts, against open_clip itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import safetensors.torch
import torch
from published_folders import image_weights, pictures, texts, write_config, write_safetensors
from small_cards import image_card, randomised, text_card
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, inspect_checkpoint, open_checkpoint, open_text

SMALL = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 16,
        "layers": 2,
        "width": 32,
        "head_width": 8,
        "patch_size": 4,
        "mlp_ratio": 1.5,
    },
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 700,
        "width": 32,
        "heads": 4,
        "layers": 2,
        "mlp_ratio": 2.0,
    },
}
MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


def _model(config: dict[str, object], kind: type[nn.Module] = open_clip.CLIP) -> nn.Module:
    torch.manual_seed(3)
    model = kind(**config)
    for parameter in model.parameters():
        if parameter.ndim < 2:  # biases and gains start at 0 and 1, where a mix-up does not show
            nn.init.normal_(parameter, mean=0.5, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return _model(SMALL)


def _write_config(folder: Path, config: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    content = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return folder


def _check(folder: Path, model: nn.Module, pixels: Tensor, ids: Tensor) -> None:
    with torch.no_grad():
        ours = open_checkpoint(folder).encode(pixels), open_text(folder).encode(ids)
        theirs = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    for own, other in zip(ours, theirs, strict=True):
        assert (own - other).abs().max() <= 1e-5


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
def test_whole_models(tmp_path: Path, quick: bool, kind: type[nn.Module]) -> None:
    config = SMALL | {"quick_gelu": quick}
    reference = _model(config, kind)
    folder = _write_config(tmp_path, config | {"custom_text": kind is not open_clip.CLIP})
    safetensors.torch.save_file(reference.state_dict(), folder / "open_clip_model.safetensors")
    _check(folder, reference, pictures(), texts())
    assert open_checkpoint(folder).logit_scale.item() == reference.logit_scale.item()
    report = inspect_checkpoint(folder)
    assert (report.encoder.preprocess.mean, report.encoder.preprocess.std) == (MEAN, STD)
    assert report.encoder.preprocess.antialias


def test_two_layers_at_full_width(tmp_path: Path) -> None:
    """The size that RobustCLIP fine-tunes: OpenAI's ViT-L/14."""
    config = open_clip.get_model_config("ViT-L-14-quickgelu")
    for tower in ("vision_cfg", "text_cfg"):
        config[tower]["layers"] = 2
    reference = _model(config)
    folder = _write_config(tmp_path, config)
    torch.save(reference.state_dict(), folder / "open_clip_pytorch_model.bin")
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    _check(folder, reference, pixels, open_clip.tokenize(["a photo of a dog", "rain on a roof, at night"]))


def _save_pickle(weights: dict[str, Tensor], folder: Path) -> None:
    torch.save(weights, folder / "fare_eps_2.pt")


def _save_wrapped(weights: dict[str, Tensor], folder: Path) -> None:
    torch.save({"state_dict": weights, "step": 20000}, folder / "checkpoint.pth")


def _save_safetensors(weights: dict[str, Tensor], folder: Path) -> None:
    safetensors.torch.save_file(weights, folder / "tecoa4.safetensors")


@pytest.mark.parametrize(
    ("prefix", "save", "own_card"),
    [
        ("", _save_pickle, True),
        ("", _save_wrapped, False),
        ("", _save_safetensors, True),
        ("visual.", _save_pickle, False),
        ("module.", _save_pickle, True),
        ("model.", _save_wrapped, True),
        ("module.model.visual.", _save_safetensors, False),
    ],
)
def test_visual_state_dicts(
    tmp_path: Path,
    model: nn.Module,
    prefix: str,
    save: Callable[[dict[str, Tensor], Path], None],
    own_card: bool,
) -> None:
    if own_card:
        card = image_card(hidden_act="quick_gelu")
        write_config(tmp_path, card.model_dump(mode="json", by_alias=True))
    else:
        _write_config(tmp_path, SMALL)
    save({prefix + name: value for name, value in model.visual.state_dict().items()}, tmp_path)
    encoder = open_checkpoint(tmp_path)
    with torch.no_grad():
        theirs = functional.normalize(model.visual(pictures()), dim=-1)
        assert (encoder.encode(pictures()) - theirs).abs().max() <= 1e-5
    report = inspect_checkpoint(tmp_path)
    assert report.text is None
    assert "logit_scale" in report.assumed[0]
    assert encoder.logit_scale.item() == pytest.approx(math.log(100))


def test_the_file_can_be_saved_again_exactly(tmp_path: Path, model: nn.Module) -> None:
    """Query, key and value are parts of one tensor in the file, and tensors of their own here."""
    _write_config(tmp_path, SMALL)
    _save_pickle(model.visual.state_dict(), tmp_path)
    encoder = open_checkpoint(tmp_path)
    safetensors.torch.save_file(dict(encoder.state_dict()), tmp_path / "again.safetensors")


def test_faults_are_told_in_the_files_own_names(tmp_path: Path, model: nn.Module) -> None:
    _write_config(tmp_path, SMALL)
    weights = dict(model.visual.state_dict())
    weights["transformer.resblocks.0.attn.in_proj_weight"] = torch.zeros(96, 31)
    weights["transformer.resblocks.1.ls_1.gamma"] = torch.zeros(32)
    weights["head.weight"] = torch.zeros(10, 24)
    del weights["proj"]
    _save_pickle(weights, tmp_path)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(tmp_path)
    for told in (
        "missing visual_projection.weight",
        "unexpected head.weight",
        "(filed as transformer.resblocks.1.ls_1.gamma)",
        "q_proj.weight (filed as transformer.resblocks.0.attn.in_proj_weight) is (32, 31), not (32, 32)",
    ):
        assert told in str(error.value)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("vision_cfg", "timm_model_name", "vit_base"),
        ("vision_cfg", "pool_type", "avg"),
        ("vision_cfg", "no_ln_pre", True),
        ("vision_cfg", "layers", [3, 4, 6, 3]),
        ("text_cfg", "hf_model_name", "roberta-base"),
        ("text_cfg", "no_causal_mask", True),
    ],
)
def test_other_architectures_are_refused_by_field(
    tmp_path: Path, section: str, field: str, value: object
) -> None:
    _write_config(tmp_path, SMALL | {section: SMALL[section] | {field: value}})
    with pytest.raises(CheckpointError, match=f"{section}.{field}"):
        inspect_checkpoint(tmp_path)


def test_hugging_faces_clip(tmp_path: Path) -> None:
    """The same names as LanguageBind's; base-size defaults and the quick GELU where the config is silent."""
    vision, text = image_card(hidden_act="quick_gelu"), text_card()
    config = {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": vision.projection_dim,
        "vision_config": vision.vision_config.model_dump(exclude={"hidden_act"}),
        "text_config": text.text_config.model_dump(),
    }
    write_config(tmp_path, config)
    write_safetensors(tmp_path, image_weights())
    with torch.no_grad():
        expected = randomised(Encoder(vision), seed=1).encode(pictures())
        assert torch.equal(open_checkpoint(tmp_path).encode(pictures()), expected)
    assert open_text(tmp_path).card == text
    assert open_checkpoint(tmp_path).card.preprocess.antialias
