# SPDX-License-Identifier: Apache-2.0
"""Time LanguageBind's preprocessing against torchvision and torchaudio on the same samples, in turns.

OMP_NUM_THREADS=1 python benchmarks/preprocess.py [--rounds 50]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torchvision.transforms import v2

from rvl_edge.preprocess import (
    AudioSpec,
    DepthSpec,
    ImageSpec,
    ThermalSpec,
    VideoSpec,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)

torch.version.cuda = None  # torchaudio refuses to load beside another CUDA build; only its CPU code is timed
import torchaudio  # noqa: E402

SIZE = 224
CLIP = {
    "size": SIZE,
    "antialias": False,
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
IMAGE, THERMAL, DEPTH = ImageSpec(**CLIP), ThermalSpec(**CLIP), DepthSpec(**CLIP)
VIDEO = VideoSpec(**CLIP, interpolation="bilinear")
AUDIO = AudioSpec(num_mel_bins=112, target_length=1036, mean=-4.2677393, std=9.1379948)


def pipeline(interpolation: v2.InterpolationMode) -> v2.Compose:
    return v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Resize(SIZE, interpolation=interpolation, antialias=False),
            v2.CenterCrop(SIZE),
            v2.Normalize(CLIP["mean"], CLIP["std"]),
        ]
    )


to_clip = pipeline(v2.InterpolationMode.BICUBIC)
to_video = pipeline(v2.InterpolationMode.BILINEAR)


def torch_picture(rgb: np.ndarray) -> np.ndarray:
    return to_clip(torch.from_numpy(rgb).permute(2, 0, 1)).numpy()


def torch_thermal(counts: np.ndarray) -> np.ndarray:
    values = torch.from_numpy(counts.astype(np.float32))
    low, high = torch.quantile(values, torch.tensor([0.01, 0.99]))
    grey = ((values - low) / (high - low)).clamp(0, 1)
    return to_clip(grey.expand(3, -1, -1)).numpy()


def torch_depth(millimetres: np.ndarray) -> np.ndarray:
    grey = (torch.from_numpy(millimetres.astype(np.float32)) / 1000).clamp(0.01, 10) / 10
    return to_clip(grey.expand(3, -1, -1)).numpy()


def torch_video(frames: np.ndarray) -> np.ndarray:
    picked = frames[np.linspace(0, len(frames) - 1, VIDEO.num_frames, dtype=int)]
    return to_video(torch.from_numpy(picked).permute(0, 3, 1, 2)).transpose(0, 1).contiguous().numpy()


def torch_audio(pcm: np.ndarray, rate: int) -> np.ndarray:
    mono = torch.from_numpy(np.ascontiguousarray(pcm[:, 0]))[None]
    mono = torchaudio.functional.resample(mono, rate, 16000)
    mel = torchaudio.compliance.kaldi.fbank(
        mono, htk_compat=True, use_energy=False, window_type="hanning", num_mel_bins=112, dither=0.0
    )
    mel = mel.repeat(-(-1036 // len(mel)), 1)[:1036].T
    return ((mel - AUDIO.mean) / AUDIO.std).expand(3, -1, -1).contiguous().numpy()


def timed(rounds: int, *calls: Callable[[], Any]) -> np.ndarray:
    """(median, best) milliseconds of each call, timed in turns so that other load falls on all alike."""
    times = np.empty((rounds, len(calls)))
    for call in calls:
        call()
    for row in times:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            row[i] = time.perf_counter() - start
    return np.stack([np.median(times, axis=0), times.min(axis=0)], axis=1) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(0)
    vga, hd = (random.integers(0, 256, (*shape, 3), np.uint8) for shape in ((480, 640), (1080, 1920)))
    counts = random.integers(28000, 31000, (512, 640), np.uint16)
    near, far = (random.integers(0, 12000, shape, np.uint16) for shape in ((480, 640), (720, 1280)))
    frames = random.integers(0, 256, (16, 480, 640, 3), np.uint8)
    mono, stereo = (
        random.normal(0, 0.1, shape).astype(np.float32) for shape in ((10 * 16000, 1), (10 * 48000, 2))
    )
    cases: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("image 640x480", lambda: preprocess_image(vga, IMAGE), lambda: torch_picture(vga)),
        ("image 1920x1080", lambda: preprocess_image(hd, IMAGE), lambda: torch_picture(hd)),
        (
            "thermal 640x512 uint16",
            lambda: preprocess_thermal(counts, THERMAL),
            lambda: torch_thermal(counts),
        ),
        ("depth 640x480 uint16", lambda: preprocess_depth(near, DEPTH), lambda: torch_depth(near)),
        ("depth 1280x720 uint16", lambda: preprocess_depth(far, DEPTH), lambda: torch_depth(far)),
        ("video 16 x 640x480, 8 taken", lambda: preprocess_video(frames, VIDEO), lambda: torch_video(frames)),
        (
            "audio 10 s, 16 kHz mono",
            lambda: preprocess_audio(mono, AUDIO, sample_rate=16000),
            lambda: torch_audio(mono, 16000),
        ),
        (
            "audio 10 s, 48 kHz stereo",
            lambda: preprocess_audio(stereo, AUDIO, sample_rate=48000),
            lambda: torch_audio(stereo, 48000),
        ),
    ]
    table = Table(title=f"median (best) ms of {rounds} rounds; torch with {torch.get_num_threads()} threads")
    for column in ("sample", "rvl_edge", "torch", "ratio of medians", "largest difference"):
        table.add_column(column, justify="left" if column == "sample" else "right")
    for name, ours, theirs in cases:
        times = timed(rounds, ours, theirs)
        cells = [f"{median:.2f} ({best:.2f})" for median, best in times]
        difference = np.abs(ours() - theirs()).max()
        table.add_row(name, *cells, f"{times[0, 0] / times[1, 0]:.2f}", f"{difference:.1e}")
    Console().print(table)


if __name__ == "__main__":
    main()
