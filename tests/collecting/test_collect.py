# SPDX-License-Identifier: Apache-2.0
"""Collections of folders and recordings, and what reads them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import START, picture

from rvl_edge.errors import BadEncoding, BadShape, ConfigError, InputError
from rvl_edge.media import read_sample
from rvl_edge.offline.collecting import collect, read_samples
from rvl_edge.offline.collecting.messages import store
from rvl_edge.types import Modality

IMAGE = "sensor_msgs/msg/Image"
CHUNK = "rvl_edge_msgs/msg/AudioChunk"
random = np.random.default_rng(0)


def pictures(folder: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 255, (12, 16, 3), np.uint8)
            cv2.imwrite(str(folder / label / f"{number:03d}.jpg"), pixels)
    return folder


def test_files_are_kept_byte_for_byte_and_labels_are_balanced(tmp_path: Path) -> None:
    source = pictures(tmp_path / "yard", {"car": 40, "person": 6})
    (source / "car/.hidden").write_text("no picture")
    found = collect([source], Modality.IMAGE, tmp_path / "out", count=12)
    assert (found.samples, found.offered, found.labels) == (12, 46, {"car": 6, "person": 6})
    manifest, paths = read_samples(tmp_path / "out")
    for entry, path in zip(manifest.samples, paths, strict=True):
        assert path.read_bytes() == (source / entry.place).read_bytes()


def test_the_same_seed_collects_the_same_files(tmp_path: Path) -> None:
    source = pictures(tmp_path / "yard", {"car": 30})
    first, second, other = (
        collect([source], Modality.IMAGE, tmp_path / name, count=8, seed=seed).path
        for name, seed in (("one", 1), ("two", 1), ("three", 2))
    )
    hashes = [[each.file.sha256 for each in read_samples(path)[0].samples] for path in (first, second, other)]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("damage", ["changed", "missing", "linked away"])
def test_changed_samples_are_refused(tmp_path: Path, damage: str) -> None:
    out = collect([pictures(tmp_path / "yard", {"car": 4})], Modality.IMAGE, tmp_path / "out").path
    victim = out / "00002.jpg"
    content = victim.read_bytes()
    victim.unlink()
    if damage == "changed":
        victim.write_bytes(content[:-3] + b"\0" + content[-2:])
    elif damage == "linked away":
        (tmp_path / "elsewhere.jpg").write_bytes(content)
        victim.symlink_to(tmp_path / "elsewhere.jpg")
    with pytest.raises(ConfigError, match="not those that were collected"):
        read_samples(out)


def test_a_file_of_another_kind_stops_the_collection_and_leaves_nothing(tmp_path: Path) -> None:
    source = pictures(tmp_path / "yard", {"car": 2})
    (source / "car/notes.txt").write_text("seen on Monday")
    with pytest.raises(InputError, match=r"notes\.txt is no image sample"):
        collect([source], Modality.IMAGE, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    source = pictures(tmp_path / "yard", {"car": 2})
    with pytest.raises(ConfigError, match="will not replace"):
        collect([source], Modality.IMAGE, source)


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_pictures_of_a_bag_lose_nothing(write_bag: Callable[..., Path], tmp_path: Path, storage: str) -> None:
    thermal = random.integers(0, 2**16, (9, 7), np.uint16)
    frames = [random.integers(0, 255, (6, 5, 3), np.uint8) for _ in range(40)]
    events = [("/camera", IMAGE, 100 * at, picture(each, "rgb8", 4)) for at, each in enumerate(frames)]
    events.append(("/flir", IMAGE, 50, picture(thermal, "16UC1", bigendian=True)))
    bag = write_bag("drive", events, storage)

    out = collect([bag], Modality.IMAGE, tmp_path / "colour", count=16, topic="/camera").path
    manifest, paths = read_samples(out)
    assert manifest.offered == 40
    places = [(int(each.place) - START) // 100_000_000 for each in manifest.samples]
    assert np.diff(places).max() < 6  # one of each sixteenth of the recording
    for place, path in zip(places, paths, strict=True):
        np.testing.assert_array_equal(read_sample(path, Modality.IMAGE).rgb, frames[place])

    twins = [(topic, kind, at // 1000, message) for topic, kind, at, message in events[:-1]]
    out = collect([write_bag("twins", twins, storage)], Modality.IMAGE, tmp_path / "alike", count=40).path
    assert read_samples(out)[0].offered == 4  # stamps, of which each holds ten pictures

    out = collect([bag], Modality.THERMAL, tmp_path / "thermal", topic="/flir").path
    (path,) = read_samples(out)[1]
    np.testing.assert_array_equal(read_sample(path, Modality.THERMAL).counts, thermal)


def damaged(fields: dict[str, Any]) -> dict[str, Any]:
    """Fewer bytes than its size and step ask for."""
    return {**fields, "data": fields["data"][:5]}


def test_damaged_frames_of_a_bag_are_passed_over_and_counted(
    write_bag: Callable[..., Path], tmp_path: Path
) -> None:
    frames = [random.integers(0, 255, (6, 5, 3), np.uint8) for _ in range(8)]
    fields = [picture(each, "rgb8") for each in frames]
    broken = {2, 5}
    events = [
        ("/camera", IMAGE, 100 * at, damaged(each) if at in broken else each)
        for at, each in enumerate(fields)
    ]
    bag = write_bag("drive", events)
    found = collect([bag], Modality.IMAGE, tmp_path / "out")
    assert (found.samples, found.offered, found.passed_over) == (6, 8, 2)
    manifest, paths = read_samples(found.path)
    assert manifest.passed_over == 2
    whole = [each for at, each in enumerate(frames) if at not in broken]
    for path, frame in zip(paths, whole, strict=True):
        np.testing.assert_array_equal(read_sample(path, Modality.IMAGE).rgb, frame)
    assert len(list(found.path.iterdir())) == 7  # and samples.json: nothing is left of the others


def test_a_bag_of_nothing_but_damaged_frames_is_refused(
    write_bag: Callable[..., Path], tmp_path: Path
) -> None:
    fields = damaged(picture(np.zeros((6, 5, 3), np.uint8), "rgb8"))
    bag = write_bag("drive", [("/camera", IMAGE, at, fields) for at in range(3)])
    with pytest.raises(BadShape, match=r"drive: \d+ is no image sample.*size and data disagree"):
        collect([bag], Modality.IMAGE, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_message_that_ends_early_is_passed_over(
    rosbags: ModuleType, write_bag: Callable[..., Path], tmp_path: Path
) -> None:
    from rosbags.typesys import Stores, get_typestore

    fields = picture(random.integers(0, 255, (6, 5, 3), np.uint8), "rgb8")
    bag = write_bag("drive", [("/camera", IMAGE, 0, fields)])
    (original,) = read_messages(bag)
    with rosbags.Writer(tmp_path / "cut", version=9, storage_plugin=rosbags.StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera", IMAGE, typestore=get_typestore(Stores.ROS2_JAZZY))
        writer.write(connection, START, original)
        writer.write(connection, START + 1000, original[:30])
    found = collect([tmp_path / "cut"], Modality.IMAGE, tmp_path / "out")
    assert (found.samples, found.passed_over) == (1, 1)


def read_messages(bag: Path) -> list[bytes]:
    from rosbags.rosbag2 import Reader

    with Reader(bag) as reader:
        return [bytes(raw) for _, _, raw in reader.messages()]


def test_a_recording_that_was_cut_off_is_to_be_mended(write_bag: Callable[..., Path], tmp_path: Path) -> None:
    events = [("/camera", IMAGE, at, picture(np.zeros((6, 5, 3), np.uint8), "rgb8", 4)) for at in range(3)]
    (whole,) = write_bag("drive", events, "MCAP").glob("*.mcap")
    (tmp_path / "cut.mcap").write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ConfigError, match=r"cannot be read.*mcap recover"):
        collect([tmp_path / "cut.mcap"], Modality.IMAGE, tmp_path / "out")


def chunks(sound: np.ndarray) -> list[tuple[str, str, int, dict[str, Any]]]:
    """Float chunks of a tenth of a second, one after the other."""
    shape = {"sample_rate": 16000, "channels": 2, "sample_format": "F32LE"}
    return [
        ("/microphone", CHUNK, 100 * at, {**shape, "data": np.frombuffer(each.tobytes(), np.uint8)})
        for at, each in enumerate(sound)
    ]


def test_sound_is_cut_into_windows_that_are_whole(write_bag: Callable[..., Path], tmp_path: Path) -> None:
    sound = random.normal(size=(40, 1600, 2)).astype("<f4").clip(-1, 1)
    bag = write_bag("hall", chunks(sound))
    out = collect([bag / "hall.mcap"], Modality.AUDIO, tmp_path / "out", seconds=1.0).path
    paths = read_samples(out)[1]
    assert len(paths) == 3  # the fourth second's end was not recorded
    for second, path in enumerate(paths):
        sample = read_sample(path, Modality.AUDIO)
        assert sample.sample_rate == 16000
        np.testing.assert_array_equal(sample.pcm, sound[10 * second : 10 * second + 10].reshape(-1, 2))


INFO = {"channels": 2, "sample_rate": 16000, "sample_format": "F32LE", "bitrate": 0, "coding_format": "wave"}


def audio_common(sound: np.ndarray, kind: str, **info: Any) -> list[tuple[str, str, int, dict[str, Any]]]:
    """The same chunks as a capture node of audio_common publishes them."""
    events = [("/audio_info", "audio_common_msgs/msg/AudioInfo", 0, {**INFO, **info})]
    for _, _, at, fields in chunks(sound):
        events.append(("/audio", f"audio_common_msgs/msg/{kind}", at, {"data": fields["data"]}))
    return events


@pytest.mark.parametrize("kind", ["AudioData", "AudioDataStamped"])
def test_sound_whose_format_is_a_message_of_its_own(
    write_bag: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    sound = random.normal(size=(25, 1600, 2)).astype("<f4").clip(-1, 1)
    bag = write_bag("hall", audio_common(sound, kind))
    out = collect([bag], Modality.AUDIO, tmp_path / "out", seconds=1.0).path
    for second, path in enumerate(read_samples(out)[1]):
        sample = read_sample(path, Modality.AUDIO)
        assert sample.sample_rate == 16000
        np.testing.assert_array_equal(sample.pcm, sound[10 * second : 10 * second + 10].reshape(-1, 2))


def test_sound_whose_format_was_not_recorded_or_is_compressed(
    write_bag: Callable[..., Path], tmp_path: Path
) -> None:
    events = audio_common(np.zeros((25, 1600, 2), "<f4"), "AudioData")
    other = ("/audio_info", events[0][1], 900, {**INFO, "channels": 1})
    mp3 = audio_common(np.zeros((25, 1600, 2), "<f4"), "AudioData", coding_format="mp3")
    for name, bag, words in (
        ("none", events[1:], "no AudioInfo.*record the topic audio_info"),
        ("two", [*events, other], "format of the sound .* is not known"),
        ("mp3", mp3, "compressed sound is not read: got mp3"),
    ):
        with pytest.raises(ConfigError, match=words):
            collect([write_bag(name, bag)], Modality.AUDIO, tmp_path / "out")


@pytest.mark.parametrize("stamped", [True, False])
def test_a_window_that_lost_sound_is_passed_over(
    write_bag: Callable[..., Path], tmp_path: Path, stamped: bool
) -> None:
    sound = random.normal(size=(40, 1600, 2)).astype("<f4").clip(-1, 1)
    events = [event for at, event in enumerate(chunks(sound)) if at not in (13, 14)]
    if not stamped:
        zero = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id="")
        events = [(*event[:3], {**event[3], "header": zero}) for event in events]
    found = collect([write_bag("hall", events)], Modality.AUDIO, tmp_path / "out", seconds=1.0)
    assert (found.samples, found.passed_over) == (2, 1)
    first, third = (read_sample(path, Modality.AUDIO).pcm for path in read_samples(found.path)[1])
    np.testing.assert_array_equal(first, sound[:10].reshape(-1, 2))
    np.testing.assert_array_equal(third, sound[20:30].reshape(-1, 2))


def test_a_clip_is_frames_spread_over_a_window(write_bag: Callable[..., Path], tmp_path: Path) -> None:
    frames = [np.full((4, 6, 3), at, np.uint8) for at in range(50)]
    events = [("/camera", IMAGE, 50 * at, picture(each, "bgr8")) for at, each in enumerate(frames)]
    out = collect([write_bag("drive", events)], Modality.VIDEO, tmp_path / "out", seconds=2.0).path
    (path,) = read_samples(out)[1]
    shades = read_sample(path, Modality.VIDEO).frames[:, 0, 0, 0]
    assert (len(shades), shades[0], shades[-1]) == (16, 0, 39)
    assert np.diff(shades.astype(int)).min() > 0


def test_a_topic_must_be_named_where_two_would_do(write_bag: Callable[..., Path], tmp_path: Path) -> None:
    pixels = picture(np.zeros((4, 4, 3), np.uint8), "rgb8")
    bag = write_bag("two", [("/left", IMAGE, 0, pixels), ("/right", IMAGE, 10, pixels)])
    with pytest.raises(ConfigError, match="/left, /right"):
        collect([bag], Modality.IMAGE, tmp_path / "out")
    with pytest.raises(ConfigError, match="AudioChunk"):
        collect([bag], Modality.AUDIO, tmp_path / "out")


@pytest.mark.parametrize("change", [{"step": 3}, {"height": 99}, {"width": 0}])
def test_a_picture_whose_size_and_data_disagree_is_refused(change: dict[str, Any]) -> None:
    message = SimpleNamespace(**{**picture(np.zeros((4, 4, 3), np.uint8), "rgb8"), **change})
    with pytest.raises(BadShape):
        store([message], Modality.IMAGE)


SOUND = {"sample_rate": 16000, "channels": 2, "sample_format": "S16LE", "data": np.zeros(64, np.uint8)}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"data": np.zeros(66, np.uint8)}, BadShape),
        ({"data": np.zeros(63, np.uint8)}, BadShape),
        ({"channels": 0}, BadEncoding),
        ({"sample_rate": 0}, BadEncoding),
        ({"sample_format": "MP3"}, BadEncoding),
    ],
)
def test_a_chunk_that_cannot_be_whole_samples_is_refused(
    change: dict[str, Any], error: type[InputError]
) -> None:
    with pytest.raises(error):
        store([SimpleNamespace(**SOUND), SimpleNamespace(**{**SOUND, **change})], Modality.AUDIO)
