# SPDX-License-Identifier: Apache-2.0
"""Every form of the sets, as miniatures, and what happens when one is absent or broken."""

from __future__ import annotations

import csv
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets import cifar10, esc10, hit_uav
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.types import Modality

RATE = 44_100
ESC50_CATEGORIES = [name.replace(" ", "_") for name in esc10.CLASSES]
ESC10_FOLDERS = {
    "001 - Dog bark": "dog",
    "002 - Rain": "rain",
    "003 - Sea waves": "sea waves",
    "004 - Baby cry": "crying baby",
    "005 - Clock tick": "clock tick",
    "006 - Person sneeze": "sneezing",
    "007 - Helicopter": "helicopter",
    "008 - Chainsaw": "chainsaw",
    "009 - Rooster": "rooster",
    "010 - Fire crackling": "crackling fire",
}


def _pictures(count: int) -> np.ndarray:
    """Flat pictures of as many colours: they survive JPEG."""
    random = np.random.default_rng(0)
    return np.broadcast_to(random.integers(0, 255, (count, 1, 1, 3)), (count, 32, 32, 3)).astype(np.uint8)


def _jpeg_archive(folder: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    coded = [cv2.imencode(".jpg", picture[..., ::-1])[1].ravel() for picture in pictures]
    offsets = np.cumsum([0, *(len(each) for each in coded)])
    for name in ("train", "test"):
        np.savez(
            folder / f"cifar10_{name}_jpeg.npz", jpeg=np.concatenate(coded), offsets=offsets, labels=labels
        )


def _batches(folder: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    (folder / "cifar-10-batches-py").mkdir()
    planes = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
    for number in range(5):
        part = slice(number * 8, (number + 1) * 8)
        batch = {b"data": planes[part], b"labels": labels[part].tolist(), b"batch_label": b"miniature"}
        (folder / f"cifar-10-batches-py/data_batch_{number + 1}").write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "cifar-10-batches-py/test_batch").write_bytes(pickle.dumps(batch, protocol=2))


def _folders(folder: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        for part in ("train", "test"):
            path = folder / part / cifar10.CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture[..., ::-1])


@pytest.mark.parametrize("write", [_jpeg_archive, _batches, _folders])
def test_cifar10_is_read_in_every_form(tmp_path: Path, write: Callable[..., None]) -> None:
    pictures, labels = _pictures(40), np.arange(40, dtype=np.int64) % 10
    write(tmp_path, pictures, labels)
    train, validation = (cifar10.load_cifar10(tmp_path, part) for part in (Part.TRAIN, Part.VALIDATION))
    assert (len(train), len(validation)) == (38, 2)
    found = np.concatenate([train.data, validation.data])[:, 16, 16].astype(int)
    answers = np.concatenate([train.labels, validation.labels])
    distance = np.abs(found[:, None] - pictures[:, 16, 16].astype(int)).max(axis=2)
    assert distance.min(axis=1).max() <= 3
    assert sorted(distance.argmin(axis=1)) == list(range(40))
    assert (labels[distance.argmin(axis=1)] == answers).all()
    assert cifar10.load_cifar10(tmp_path, Part.TEST).data.shape[1:] == (32, 32, 3)


class _Command:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("true",)


def test_a_batch_that_would_run_a_command_is_refused(tmp_path: Path) -> None:
    _batches(tmp_path, _pictures(40), np.zeros(40, np.int64))
    (tmp_path / "cifar-10-batches-py/test_batch").write_bytes(pickle.dumps({b"data": _Command()}))
    with pytest.raises(ConfigError, match="system"):
        cifar10.load_cifar10(tmp_path, Part.TEST)


def _tone(label: int) -> np.ndarray:
    """Three seconds of a pitch a class, in stereo."""
    time = np.arange(3 * RATE) / RATE
    return np.repeat(0.5 * np.sin(2 * np.pi * 300 * (label + 1) * time)[:, None], 2, axis=1)


def _esc50(folder: Path) -> None:
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    with (folder / "meta/esc50.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
        for fold in range(1, 6):
            for label, category in enumerate(ESC50_CATEGORIES):
                name = f"{fold}-{label}-A-{label}.wav"
                soundfile.write(folder / "audio" / name, _tone(label), RATE)
                rows.writerow([name, fold, label, category, "True", "1", "A"])
            rows.writerow([f"{fold}-99-A-9.wav", fold, 9, "cow", "False", "1", "A"])


def _esc10(folder: Path) -> None:
    for name, category in ESC10_FOLDERS.items():
        (folder / name).mkdir()
        for fold in range(1, 6):
            tone = _tone(esc10.CLASSES.index(category))
            soundfile.write(folder / name / f"{fold}-1-A.ogg", tone, RATE, format="OGG")


@pytest.mark.parametrize("write", [_esc50, _esc10])
def test_esc10_is_read_in_every_form(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    sizes = []
    for part in Part:
        samples = esc10.load_esc10(tmp_path, part)
        sizes.append(len(samples))
        assert samples.data.shape[1:] == (80_000,)
        assert samples.sample_rate == 16_000
        assert (samples.data[:, 3 * 16_000 + 100 :] == 0).all()
        pitch = np.abs(np.fft.rfft(samples.data[:, :16_000])).argmax(axis=1)
        assert (np.abs(pitch - 300 * (samples.labels + 1)) <= 1).all()
    assert sizes == [20, 10, 10]


def _hit_uav(folder: Path) -> None:
    """Six flights of four frames; a bright square where the box says, brighter for cars."""
    root = folder / "normal_json"
    (root / "annotations").mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, flights in {"train": (0, 1, 2), "val": (3, 4), "test": (5,)}.items():
        (root / part).mkdir()
        images, notes = [], []
        for number in (flight * 100 + step for flight in flights for step in range(4)):
            name = f"0_60_30_0_{number:05d}.jpg"
            frame = np.full((512, 640), 40, np.uint8)
            for label, value in enumerate((100, 160, 220)):
                x, y = 60 + 200 * label, int(random.integers(100, 350))
                frame[y : y + 40, x : x + 20] = value
                note = {"image_id": number, "bbox": [x, y, 20, 40], "category_id": label, "id": len(notes)}
                notes.append(note)
            notes.append({"image_id": number, "bbox": [630, 2, 8, 8], "category_id": 4, "id": len(notes)})
            cv2.imwrite(str(root / part / name), frame)
            images.append({"id": number, "filename": name, "height": 512, "width": 640})
        names = enumerate(("Person", "Car", "Bicycle", "OtherVehicle", "DontCare"))
        categories = [{"id": number, "name": name} for number, name in names]
        content = {"images": images, "annotation": notes, "categories": categories}
        (root / f"annotations/{part}.json").write_text(json.dumps(content))


def test_official_hit_uav_frames_become_chips_of_whole_flights(tmp_path: Path) -> None:
    _hit_uav(tmp_path)
    parts = {part: hit_uav.load_hit_uav(tmp_path, part) for part in Part}
    assert sum(map(len, parts.values())) >= 6 * 4 * 3
    for samples in parts.values():
        assert samples.data.shape[1:] == (64, 64)
        peaks = samples.data.reshape(len(samples), -1).max(axis=1).astype(int)
        expected = np.array([100, 160, 220, 40])[samples.labels]
        assert (np.abs(peaks - expected) < 12).all()
    assert np.bincount(parts[Part.TEST].labels)[:3].tolist() == [4, 4, 4]  # one flight in five


def test_rare_vehicles_are_left_out_of_the_chip_archive(tmp_path: Path) -> None:
    labels = np.array([0, 1, 2, 3, 4] * 20, np.uint8)
    images = np.repeat(labels * 10, 64 * 64).reshape(-1, 64, 64)
    for name in ("train", "val"):
        path = tmp_path / f"hit_uav_chips64_{name}.npz"
        np.savez(path, images=images, labels=labels, frame=np.arange(100) // 5)
    train, validation, test = (hit_uav.load_hit_uav(tmp_path, part) for part in Part)
    assert (len(train), len(validation), len(test)) == (72, 8, 80)
    for samples in (train, validation, test):
        assert (samples.data[:, 0, 0] == np.array([0, 10, 20, 40])[samples.labels]).all()


@pytest.mark.parametrize("modality", list(Modality))
def test_an_absent_set_says_what_was_expected(tmp_path: Path, modality: Modality) -> None:
    with pytest.raises(ConfigError, match="expected"):
        load_part(modality, tmp_path, Part.TRAIN)


def test_a_truncated_archive_is_a_config_error(tmp_path: Path) -> None:
    _jpeg_archive(tmp_path, _pictures(20), np.zeros(20, np.int64))
    path = tmp_path / "cifar10_test_jpeg.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigError, match="cannot be used"):
        cifar10.load_cifar10(tmp_path, Part.TEST)


@pytest.mark.data
@pytest.mark.parametrize(
    ("modality", "part", "count"),
    [
        (Modality.IMAGE, Part.TEST, 5_000),
        (Modality.THERMAL, Part.TEST, 1_000),
        (Modality.AUDIO, Part.TRAIN, 160),
        (Modality.AUDIO, Part.VALIDATION, 80),
        (Modality.AUDIO, Part.TEST, 80),
    ],
)
def test_the_shared_sets_are_complete(data_dir: Path, modality: Modality, part: Part, count: int) -> None:
    samples: Samples = load_part(modality, data_dir, part)
    assert len(samples) == count
    assert np.bincount(samples.labels).min() > 0
