# SPDX-License-Identifier: Apache-2.0
"""Augmented batches keep what their labels say, and are prepared as the robot prepares a sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_cards import HALF

from rvl_edge.offline.datasets.camera_motion import MOTIONS
from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.audio_feed import AudioFeed
from rvl_edge.offline.pretraining.augmenting import cut_out, jitter, shift_and_flip
from rvl_edge.offline.pretraining.captions import Captions, make_captions
from rvl_edge.offline.pretraining.feeds import normalised
from rvl_edge.offline.pretraining.thermal_feed import ThermalFeed
from rvl_edge.offline.pretraining.video_feed import VideoFeed
from rvl_edge.preprocess import preprocess_image
from rvl_edge.preprocess.spec import AudioSpec, ImageSpec, ThermalSpec, VideoSpec
from rvl_edge.types import Modality

CLASSES = ("low", "high")


@pytest.fixture
def captions() -> Captions:
    concepts: dict[str, tuple[str, ...]] = dict.fromkeys((*CLASSES, *MOTIONS, "other"), ())
    label_set = LabelSetFile(name="all", modalities=tuple(Modality), concepts=concepts)
    return make_captions({"all": label_set}, {Modality.IMAGE: ("{}",)})


def test_pictures_are_normalised_as_on_the_robot() -> None:
    spec = ImageSpec(size=16, mean=(0.48, 0.46, 0.41), std=(0.27, 0.26, 0.28))
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    ours = normalised(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255, spec)[0]
    assert np.allclose(ours.numpy(), preprocess_image(picture, spec), atol=1e-5)


def test_a_shift_moves_and_mirrors_every_picture_by_itself() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(16.0).expand(200, 1, 16, 16)
    moved = shift_and_flip(ramp, pad=4)
    assert moved.min() >= 0
    assert moved.max() <= 15
    steps = moved[:, 0, 8, 8] - moved[:, 0, 8, 7]
    assert 60 < (steps == 1).sum() < 140  # the rest is mirrored
    assert ((steps == 1) | (steps == -1)).all()
    assert len(moved[:, 0, 8, 8].unique()) >= 9


def test_jitter_stays_in_range_and_changes_each_picture_differently() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(1, 3, 8, 8).expand(50, -1, -1, -1)
    changed = jitter(pictures, gain=0.3, offset=0.1)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert len(changed.mean(dim=(1, 2, 3)).unique()) == 50
    assert torch.allclose(jitter(pictures, gain=0.0, offset=0.0), pictures, atol=1e-6)


def test_cut_out_greys_one_square_at_most() -> None:
    torch.manual_seed(0)
    holes = (cut_out(torch.ones(300, 3, 20, 20), size=6) == 0).sum(dim=(2, 3))[:, 0]
    assert holes.max() == 36
    assert holes.float().mean() > 15


def test_a_turned_and_cropped_chip_keeps_its_temperature(captions: Captions) -> None:
    chips = np.repeat(np.array([60, 200], np.uint8), 10)[:, None, None] * np.ones((1, 64, 64), np.uint8)
    samples = Samples(chips, np.repeat([0, 1], 10), CLASSES)
    feed = ThermalFeed(samples, ThermalSpec(size=32, mean=HALF, std=HALF), captions)
    torch.manual_seed(0)
    batch = feed.batch(torch.arange(20))
    assert batch.pixels.shape == (20, 3, 32, 32)
    assert torch.equal(batch.pixels[:, 0], batch.pixels[:, 2])
    bright = batch.pixels.median(dim=3).values.median(dim=2).values[:, 0]
    assert bright[:10].max() < bright[10:].min()
    assert (batch.shares[0][:10, captions.phrases["low"]] == 1).all()


def test_a_clip_is_asked_about_its_object_and_its_motion_apart(captions: Captions) -> None:
    stills = np.zeros((40, 16, 16, 3), np.uint8)
    samples = Samples(stills, np.arange(40) % 2, CLASSES)
    feed = VideoFeed(samples, VideoSpec(size=16, num_frames=4, mean=HALF, std=HALF), captions)
    torch.manual_seed(0)
    batch = feed.batch(torch.arange(40))
    assert batch.pixels.shape == (40, 3, 4, 16, 16)
    objects, motions = batch.shares
    of_motions = [captions.phrases[each] for each in MOTIONS]
    of_objects = [captions.phrases[each] for each in CLASSES]
    assert objects[:, of_motions].isnan().all()
    assert motions[:, of_objects].isnan().all()
    assert torch.equal(objects[:, of_objects].argmax(dim=1), torch.arange(40) % 2)
    assert (motions[:, of_motions].sum(dim=1) == 1).all()
    assert (motions[:, of_motions].sum(dim=0) > 0).all()


def test_sounds_keep_their_pitch_order_and_mixtures_their_sum(captions: Captions) -> None:
    time = np.arange(16_000) / 16_000
    tones = [0.3 * np.sin(2 * math.pi * pitch * time) for pitch in (300, 4_000)]
    samples = Samples(np.array(tones * 8, np.float32), np.arange(16) % 2, CLASSES, 16_000)
    spec = AudioSpec(num_mel_bins=32, target_length=64, mean=-6.0, std=5.0)
    feed = AudioFeed(samples, spec, captions)
    torch.manual_seed(0)
    batch = feed.batch(torch.arange(16))
    assert batch.pixels.shape == (16, 3, 32, 64)
    assert batch.pixels.isfinite().all()
    shares = batch.shares[0]
    assert torch.allclose(shares.sum(dim=1), torch.ones(16))
    pure = (shares == 1).any(dim=1)
    assert 0 < pure.sum() < 16
    loudest = batch.pixels[:, 0].mean(dim=2).argmax(dim=1)
    high = shares[:, captions.phrases["high"]] == 1
    low = shares[:, captions.phrases["low"]] == 1
    assert loudest[high].min() > loudest[low].max()
