# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.sources", reason="needs ROS 2; see docs/ros.md")

import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from rig import PATIENCE
from rosgraph_msgs.msg import Clock
from rvl_edge_msgs.msg import AudioChunk
from rvl_edge_ros import demo_material, pictures, sounds, sources
from rvl_edge_ros.replay_node import ReplayNode
from sensor_msgs.msg import Image

from rvl_edge.errors import ConfigError, InputError

pytestmark = pytest.mark.ros


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, each of one colour."""
    for at, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
        cv2.imwrite(str(tmp_path / f"{at}.png"), np.full((6, 8, 3), colour[::-1], np.uint8))
    return tmp_path


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """0.25 s of 16-bit stereo at 8 kHz: a rising ramp, and its negative."""
    path = tmp_path / "ramp.wav"
    pcm = np.stack([np.arange(2000), -np.arange(2000)], axis=1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm.tobytes())
    return path


def test_a_folder_is_played_in_order_and_over_again(folder: Path) -> None:
    shots = list(itertools.islice(sources.pictures(str(folder), 15, loop=True), 4))
    colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 0, 0]]
    assert [shot.pixels[0, 0].tolist() for shot in shots] == colours
    assert [shot.name for shot in shots] == ["0.png", "1.png", "2.png", "0.png"]
    assert len(list(sources.pictures(str(folder), 15, loop=False))) == 3


def test_a_thermal_stack_is_played_picture_by_picture(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(28000, 31000, (5, 4, 6), dtype=np.uint16)
    np.save(tmp_path / "stack.npy", stack)
    shots = list(sources.thermal(str(tmp_path / "stack.npy"), 9, loop=False))
    np.testing.assert_array_equal(np.stack([shot.pixels for shot in shots]), stack)


def test_depth_is_played_as_it_was_stored(tmp_path: Path) -> None:
    millimetres = np.random.default_rng(0).integers(0, 9000, (4, 6), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), millimetres)
    np.save(tmp_path / "b.npy", np.stack([millimetres, millimetres]) / 1000)
    shots = list(sources.depth(str(tmp_path), loop=False))
    assert [(shot.name, shot.pixels.dtype) for shot in shots] == [
        ("a.png", np.uint16),
        ("b.npy", np.float32),
        ("b.npy", np.float32),
    ]
    np.testing.assert_array_equal(shots[0].pixels, millimetres)
    np.testing.assert_allclose(shots[2].pixels, millimetres / 1000, rtol=1e-6)


def test_a_video_file_is_played_frame_by_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for grey in (0, 120, 240):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    shots = list(sources.pictures(str(path), 15, loop=False))
    assert [round(float(shot.pixels.mean()), -1) for shot in shots] == [0, 120, 240]


def test_chunks_of_a_sound_join_to_the_whole(ramp: Path) -> None:
    rate, size, chunks = sources.sound(str(ramp), 0.1, loop=False)
    pcm = np.concatenate([chunk.pixels for chunk in chunks])
    assert (rate, size) == (8000, 800)
    np.testing.assert_array_equal(pcm[:, 0], np.arange(2000))
    np.testing.assert_array_equal(pcm[:, 1], -np.arange(2000))


@pytest.mark.parametrize("seconds", [0.1, 0.6])
def test_a_sound_that_begins_anew_has_chunks_of_one_length_and_no_gap(ramp: Path, seconds: float) -> None:
    _, size, chunks = sources.sound(str(ramp), seconds, loop=True)
    pcm = [chunk.pixels for chunk in itertools.islice(chunks, 7)]
    assert [each.shape for each in pcm] == 7 * [(size, 2)]
    np.testing.assert_array_equal(np.concatenate(pcm)[:, 0], np.arange(7 * size) % 2000)


def test_sound_is_replayed_from_one_file(ramp: Path) -> None:
    assert sources.sound(str(ramp.parent), 0.1, loop=True)[0] == 8000
    shutil.copy(ramp, ramp.parent / "other.wav")
    with pytest.raises(ConfigError, match="from one file"):
        sources.sound(str(ramp.parent), 0.1, loop=True)


def test_the_demos_sound_has_chunks_for_the_lowest_rate() -> None:
    rate, size, chunks = sources.sound("demo", 1 / 0.1, loop=True)
    assert next(chunks).pixels.shape == (size, 1)
    assert size <= 10 * rate


def test_what_holds_nothing_is_refused_instead_of_played_forever(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.empty((0, 4, 6), np.uint16))
    with pytest.raises(InputError):
        next(sources.thermal(str(tmp_path / "none.npy"), 9, loop=True))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError):
        sources.pictures(str(tmp_path / "empty"), 15, loop=True)


def test_the_demo_says_what_is_simulated_or_synthesised() -> None:
    photographs = demo_material.photographs(rate=2)
    for shot in itertools.islice(photographs, 40):
        assert shot.pixels.shape == (480, 640, 3)
        assert shot.pixels.dtype == np.uint8
        assert "simulated camera" in shot.name
    for shot in itertools.islice(demo_material.heat(rate=2), 12):
        assert shot.pixels.dtype == np.uint16
        assert shot.name.startswith("synthesised")
    names = set()
    for shot in itertools.islice(demo_material.sounds(0.5), 42):
        assert shot.pixels.shape == (24000, 1)
        assert 0 < np.abs(shot.pixels).max() <= 1
        names.add(shot.name)
    assert names == {"synthesised rain", "synthesised clock tick", "synthesised sea waves"}


class Player:
    """A replay node, and what was heard of it."""

    def __init__(self, **parameters: object) -> None:
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in parameters.items()]
        self.node = ReplayNode(parameter_overrides=overrides)
        self.ear = rclpy.create_node("ear")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(self.ear)

    def hear(self, kind: type, topic: str, count: int) -> list:
        heard: list = []
        subscription: Subscription = self.ear.create_subscription(
            kind, topic, heard.append, qos_profile_sensor_data
        )
        waited = 0.0
        while len(heard) < count:
            self._executor.spin_once(timeout_sec=0.1)
            waited += 0.1
            assert waited < 10 * PATIENCE
        self.ear.destroy_subscription(subscription)
        return heard

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.ear.destroy_node()


@pytest.fixture
def players(ros_context: None) -> Iterator[list[Player]]:
    made: list[Player] = []
    yield made
    for each in made:
        each.close()


def test_pictures_are_published_stamped_and_named(players: list[Player], folder: Path) -> None:
    players.append(Player(image__source=str(folder), image__rate=100.0))
    messages = players[0].hear(Image, "image", 5)
    times = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in messages]
    assert times == sorted(set(times))
    for message in messages:
        colour = pictures.decode(message)[0, 0]
        assert colour[int(message.header.frame_id[0])] == 255


def test_what_is_not_to_be_replayed_has_no_topic(players: list[Player], folder: Path) -> None:
    players.append(Player(image__source=str(folder), thermal__source="none", depth__source=""))
    published = {name for name, _ in players[0].node.get_publisher_names_and_types_by_node("replay", "/")}
    assert "/image" in published
    assert not published & {"/thermal", "/depth", "/audio"}


def test_chunks_are_stamped_without_a_gap(players: list[Player], ramp: Path) -> None:
    players.append(Player(audio__source=str(ramp), audio__rate=50.0))
    first, second = players[0].hear(AudioChunk, "audio", 2)[:2]
    nanoseconds = [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in (first, second)]
    chunks_between = (nanoseconds[1] - nanoseconds[0]) / (1e9 * len(sounds.decode(first)) / 8000)
    assert chunks_between == pytest.approx(round(chunks_between), abs=1e-4)
    assert chunks_between > 0


def test_stamps_of_sound_stay_with_the_clock_in_steps_of_whole_chunks(
    players: list[Player], ramp: Path
) -> None:
    """A clock that jumps is to the node what a pause of its process is: the next chunk is late by seconds."""
    players.append(Player(use_sim_time=True, audio__source=str(ramp), audio__rate=50.0))
    clock = players[0].ear.create_publisher(Clock, "/clock", 1)
    seen = set()
    for now in (100, 104, 3):
        clock.publish(Clock(clock=Time(sec=now)))
        for _ in range(200):
            (chunk,) = players[0].hear(AudioChunk, "audio", 1)
            stamp = chunk.header.stamp.sec * 10**9 + chunk.header.stamp.nanosec
            if abs(stamp - now * 10**9) < 0.6e9:
                break
            clock.publish(Clock(clock=Time(sec=now)))
        else:
            pytest.fail(f"the stamps never came to {now} s, but to {stamp / 1e9} s")
        seen.add(stamp % 20_000_000)
    assert len(seen) == 1


def test_sound_is_played_as_fast_as_its_stamps_go(players: list[Player], ramp: Path) -> None:
    """At 300 Hz a chunk has 26.67 samples of this file: 27, which take longer than a tick of 300 Hz."""
    players.append(Player(audio__source=str(ramp), audio__rate=300.0))
    chunk = sounds.decode(players[0].hear(AudioChunk, "audio", 1)[0])
    (timer,) = players[0].node.timers
    assert timer.timer_period_ns == pytest.approx(1e9 * len(chunk) / 8000, abs=1)


def test_depth_goes_out_as_a_camera_sends_it(players: list[Player], tmp_path: Path) -> None:
    millimetres = np.random.default_rng(0).integers(0, 9000, (4, 6), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), millimetres)
    players.append(Player(depth__source=str(tmp_path / "a.png"), depth__rate=100.0))
    message = players[0].hear(Image, "depth", 1)[0]
    assert message.encoding == "16UC1"
    np.testing.assert_array_equal(pictures.decode_depth(message), millimetres)


def test_a_profile_that_makes_no_sense_is_refused_with_what_to_do(ros_context: None, folder: Path) -> None:
    wrong = {"image.source": str(folder), "qos_overrides./image.publisher.reliability": "sometimes"}
    with pytest.raises(ConfigError, match=r"the topic image .*sometimes.*Fix: correct what qos_overrides"):
        ReplayNode(parameter_overrides=[Parameter(name, value=value) for name, value in wrong.items()])
