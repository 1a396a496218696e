# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's inputs by the specs of its cards, against its recipe in torchvision and torchaudio.

The oracles follow the reference's order of steps in float32. Where the kernel lies is a float32 number, too,
and torch's releases round it differently; `make parity` pins one, so its bounds are tighter than those here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.preprocess import (
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import PreprocessSpec

torch = pytest.importorskip("torch", reason="the oracles are written in it")
functional = pytest.importorskip("torchvision.transforms.functional")

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZES = [  # (height, width): VGA, portrait, full HD, as is, one more and less, odd, narrow, tiny, 4K
    (480, 640),
    (640, 480),
    (1080, 1920),
    (224, 224),
    (225, 223),
    (233, 301),
    (37, 53),
    (7, 500),
    (500, 7),
    (1, 1),
    (2160, 3840),
    (115, 112),  # pytorchvideo's rounding is not torchvision's
]
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def spec_of(card: str) -> Any:
    from rvl_edge.offline.towers.card import EncoderCard, named_card

    found = named_card(card)
    assert isinstance(found, EncoderCard)
    spec: PreprocessSpec = found.preprocess
    return spec


def noise(*shape: int, high: int = 256, dtype: type = np.uint8) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, high, shape, dtype)


def close(ours: npt.NDArray[np.float32], theirs: Any, size: tuple[int, int]) -> bool:
    """Whether inputs agree to the rounding of a place in a picture of noise, which changes by 6 a pixel."""
    return difference(ours, theirs) < 5e-6 + 6 * np.spacing(np.float32(max(size)))


def difference(ours: npt.NDArray[np.float32], theirs: Any) -> float:
    assert ours.shape == tuple(theirs.shape)
    return float(np.abs(ours - theirs.numpy()).max())


def picture_input(planes: Any) -> Any:
    """(3, H, W) in 0..1: Resize(224, bicubic) without antialiasing, CenterCrop, Normalize."""
    mode = functional.InterpolationMode.BICUBIC
    resized = functional.resize(planes, 224, interpolation=mode, antialias=False)
    return functional.normalize(functional.center_crop(resized, [224, 224]), MEAN, STD)


@sizes
@pytest.mark.parametrize("sense", ["image", "thermal"])
def test_pictures(sense: str, size: tuple[int, int]) -> None:
    rgb = noise(*size, 3)
    if sense == "thermal":  # the reference's thermal files are grey pictures of three channels
        rgb = np.repeat(rgb[..., :1], 3, axis=2)
    preprocess: Any = preprocess_image if sense == "image" else preprocess_thermal
    theirs = picture_input(torch.from_numpy(rgb).permute(2, 0, 1).float() / 255)
    assert close(preprocess(rgb, spec_of(f"languagebind-{sense}")), theirs, size)


@sizes
@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_depth(size: tuple[int, int], holes: float) -> None:
    millimetres = noise(*size, high=15_000, dtype=np.uint16) + np.uint16(1)
    millimetres[np.random.default_rng(1).random(size) < holes * (millimetres.size > 1)] = 0
    metres = torch.from_numpy(millimetres.astype(np.float32)) / 1000
    theirs = picture_input((metres.clip(min=0.01).clip(max=10) / 10).repeat(3, 1, 1))
    assert close(preprocess_depth(millimetres, spec_of("languagebind-depth")), theirs, size)


def frame_input(frame: npt.NDArray[np.uint8]) -> Any:
    """Of a video: Normalize first, then pytorchvideo's ShortSideScale(224), then CenterCrop."""
    height, width, _ = frame.shape
    planes = functional.normalize(torch.from_numpy(frame).permute(2, 0, 1).float() / 255, MEAN, STD)
    if width < height:
        scaled = (math.floor(height / width * 224), 224)
    else:
        scaled = (224, math.floor(width / height * 224))
    resized = torch.nn.functional.interpolate(planes[None], scaled, mode="bilinear", align_corners=False)
    return functional.center_crop(resized[0], [224, 224])


@pytest.mark.parametrize(
    ("count", "size"), [*((2, size) for size in SIZES), *((count, (60, 80)) for count in (1, 7, 8, 9, 30))]
)
def test_video(count: int, size: tuple[int, int]) -> None:
    frames = noise(count, *size, 3)
    inputs = [frame_input(frame) for frame in frames]
    theirs = torch.stack([inputs[i] for i in np.linspace(0, count - 1, 8, dtype=int)], dim=1)
    assert close(preprocess_video(frames, spec_of("languagebind-video")), theirs, size)


FRAMES = 1036
FULL = (FRAMES - 1) * 160 + 400


@pytest.mark.parametrize(
    "count", [400, 16_000, FULL - 1, FULL, FULL + 159, FULL + 160, FULL + 320, 20 * 16_000, 60 * 16_000]
)
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (16_000, 2), (44_100, 2), (48_000, 1)])
def test_audio(torchaudio: Any, count: int, rate: int, channels: int) -> None:
    random = np.random.default_rng(2)
    count = math.ceil(count * rate / 16_000)
    hum = 0.2 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)
    pcm = (random.normal(0.02, 0.05, (count, channels)) + hum[:, None]).astype(np.float32)
    waveform = torchaudio.functional.resample(torch.from_numpy(pcm.T.copy()), rate, 16_000)
    waveform -= waveform.mean()
    mel = torchaudio.compliance.kaldi.fbank(
        waveform,
        htk_compat=True,
        sample_frequency=16_000,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=112,
        dither=0.0,
        frame_length=25,
        frame_shift=10,
    )
    if len(mel) > FRAMES:  # the reference draws each start at random from its third; here it is the first
        thirds = np.array_split(np.arange(len(mel) - FRAMES + 1), 3)
        starts = [third[0] if len(third) else 0 for third in thirds]
        windows = torch.stack([mel[start : start + FRAMES] for start in starts])
    else:
        windows = mel.repeat(math.ceil(FRAMES / len(mel)), 1)[:FRAMES].expand(3, -1, -1)
    theirs = (windows.transpose(1, 2) + 4.2677393) / (4.5689974 * 2)
    ours = preprocess_audio(pcm, spec_of("languagebind-audio"), sample_rate=rate)
    assert difference(ours, theirs) < 1e-3
    assert np.abs(ours - theirs.numpy()).mean() < 2e-6
