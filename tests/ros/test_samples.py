# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.samples", reason="needs ROS 2; see docs/ros.md")

from builtin_interfaces.msg import Time
from rig import picture
from rvl_edge_msgs.msg import AudioChunk
from rvl_edge_ros import pictures, sounds
from rvl_edge_ros.meter import Counts, Outcome
from rvl_edge_ros.params import Settings
from rvl_edge_ros.samples import Sample, Sense
from rvl_edge_ros.senses import make_sense
from sensor_msgs.msg import Image

from rvl_edge import Modality, Timing

pytestmark = pytest.mark.ros


def sense(modality: Modality, **changes: object) -> tuple[Sense, list[Sample]]:
    samples: list[Sample] = []
    made = make_sense(
        modality, lambda _, sample: samples.append(sample), lambda: 5_000_000_000, Settings(**changes)
    )
    return made, samples


def test_stamps_that_repeat_or_fall_back_are_dropped_and_counted_once() -> None:
    image, samples = sense(Modality.IMAGE)
    for stamp in (10.0, 10.1, 10.1, 10.05, 10.2):
        image.receive(picture(stamp))
    assert [sample.end for sample in samples] == [10_000_000_000, 10_100_000_000, 10_200_000_000]
    assert image.meter.read().counts == Counts(received=5, dropped=2)


def worked_on(image: Sense) -> None:
    """What the inference thread does after a sample."""
    image.meter.published(Timing(preprocess=1.0, encode=1.0, refine=0.0, classify=0.0), None, 0.01)


@pytest.mark.parametrize("step", [0.0, -0.04])
def test_stamps_that_do_not_rise_are_explained_until_the_next_result(step: float) -> None:
    image, samples = sense(Modality.IMAGE)
    image.receive(picture(7.0))
    worked_on(image)
    for at in range(1, 20):
        image.receive(picture(7.0 + at * step))
    assert len(samples) == 1
    reading = image.meter.read()
    assert reading.counts == Counts(received=20, published=1, dropped=19)
    assert reading.outcome is Outcome.REJECTED
    assert "later than 7.000 s" in reading.last_error
    assert "the driver's clock" in reading.last_error
    image.receive(picture(7.1))
    worked_on(image)
    assert image.meter.read().outcome is Outcome.PUBLISHED


def test_three_stamps_in_a_row_that_do_not_rise_are_complained_of_and_two_are_not() -> None:
    image, _ = sense(Modality.IMAGE)
    image.receive(picture(10.0))
    for outcome in (Outcome.NONE, Outcome.NONE, Outcome.REJECTED):
        image.receive(picture(9.9))
        assert image.meter.read().outcome is outcome


def test_a_driver_that_sends_everything_twice_is_dropped_from_and_not_complained_of() -> None:
    image, samples = sense(Modality.IMAGE)
    for at in range(20):
        image.receive(picture(10.0 + at // 2 / 10))
    assert len(samples) == 10
    reading = image.meter.read()
    assert (reading.counts.dropped, reading.last_error) == (10, "")


def test_a_clock_that_starts_over_is_followed() -> None:
    image, samples = sense(Modality.IMAGE)
    for stamp in (1000.0, 3.0, 3.1):
        image.receive(picture(stamp))
    assert len(samples) == 3


def test_a_clip_never_spans_a_clock_that_starts_over() -> None:
    video, samples = sense(Modality.VIDEO, video_window=3, video_hop=1)
    for stamp in (1000.0, 1000.1, 3.0, 3.1, 3.2):
        video.receive(picture(stamp))
    assert [(sample.start, sample.end) for sample in samples] == [(3_000_000_000, 3_200_000_000)]


@pytest.mark.parametrize("between", [1, 6])
def test_two_drivers_whose_clocks_differ_are_told_and_the_later_one_is_used(between: int) -> None:
    image, samples = sense(Modality.IMAGE)
    for at in range(20):
        for part in range(between):
            image.receive(picture(5000.0 + at + part / 10))
        image.receive(picture(1000.0 + at))
    reading = image.meter.read()
    assert reading.counts == Counts(received=20 * (between + 1), dropped=18)
    assert reading.outcome is Outcome.REJECTED
    assert "one driver alone publishes the topic" in reading.last_error
    assert len(samples) == 20 * between + 2


def test_a_recording_that_begins_anew_each_time_it_ends_is_not_complained_of() -> None:
    image, samples = sense(Modality.IMAGE)
    for _ in range(6):
        for at in range(30):
            image.receive(picture(1000.0 + at / 10))
    assert len(samples) == 180
    assert image.meter.read().counts == Counts(received=180)


def test_messages_without_a_stamp_are_stamped_by_the_nodes_clock() -> None:
    image, samples = sense(Modality.IMAGE)
    image.receive(picture(0.0))
    assert samples[0].start == 5_000_000_000
    assert samples[0].header.stamp == Time()


def test_unstamped_messages_between_two_ticks_of_a_coarse_clock_are_all_used() -> None:
    """20 ms chunks under a /clock of 10 Hz, as simulators have it: five arrive at each of its times."""
    time = [0]
    samples: list[Sample] = []
    quick = Settings(audio_window=0.5, audio_hop=0.1)
    audio = make_sense(Modality.AUDIO, lambda _, sample: samples.append(sample), lambda: time[0], quick)
    chunk = AudioChunk()
    for at in range(50):
        time[0] = 3_000_000_000 + at // 5 * 100_000_000
        sounds.fill(chunk, np.full((320, 1), at, np.int16), 16000)
        audio.receive(chunk)
    assert audio.meter.read().counts == Counts(received=50)
    assert len(samples) == 6
    recorder = Recorder()
    heard = [sample.perceive(recorder) for sample in samples]
    for last, pcm in zip(range(24, 50, 5), heard, strict=True):
        np.testing.assert_array_equal(pcm[::320, 0], range(last - 24, last + 1))


@pytest.mark.parametrize(
    ("held", "ends"), [(1.9, [3.5, 4.0, 4.5, 5.0, 5.5]), (2.5, [3.5, 4.0, 7.0, 7.5, 8.0])]
)
def test_unstamped_sound_that_comes_in_a_burst_is_joined_unless_it_is_too_late(
    held: float, ends: list[float]
) -> None:
    """20 ms chunks; the executor is held up after fifty of them, and then takes the others at once."""
    time = [0]
    samples: list[Sample] = []
    quick = Settings(audio_window=0.5, audio_hop=0.5)
    audio = make_sense(Modality.AUDIO, lambda _, sample: samples.append(sample), lambda: time[0], quick)
    chunk = AudioChunk()
    for at in range(125):
        time[0] = round(1e9 * (3 + 0.02 * at if at < 50 else 4 + held))
        sounds.fill(chunk, np.full((320, 1), at, np.int16), 16000)
        audio.receive(chunk)
    assert audio.meter.read().counts == Counts(received=125)
    assert [sample.end / 1e9 for sample in samples] == pytest.approx(ends)
    recorder = Recorder()
    for first, sample in zip(range(0, 125, 25), samples, strict=True):
        np.testing.assert_array_equal(sample.perceive(recorder)[::320, 0], range(first, first + 25))


def test_unstamped_sound_follows_a_clock_that_starts_over() -> None:
    time = [100_000_000_000]
    samples: list[Sample] = []
    quick = Settings(audio_window=0.5, audio_hop=0.5)
    audio = make_sense(Modality.AUDIO, lambda _, sample: samples.append(sample), lambda: time[0], quick)
    chunk = AudioChunk()
    sounds.fill(chunk, np.zeros((8000, 1), np.int16), 16000)
    audio.receive(chunk)
    time[0] = 7_000_000_000
    audio.receive(chunk)
    assert [sample.start for sample in samples] == [100_000_000_000, 7_000_000_000]


def test_a_rejected_message_does_not_move_the_order_of_stamps() -> None:
    image, samples = sense(Modality.IMAGE)
    broken = picture(20.0)
    broken.encoding = "nv21"
    image.receive(broken)
    image.receive(picture(10.0))
    assert len(samples) == 1
    assert image.meter.read().counts == Counts(received=2, rejected=1)


def distances(stamp: float, pixels: np.ndarray) -> Image:
    message = picture(stamp)
    pictures.fill(message, pixels)
    return message


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.THERMAL, Modality.DEPTH])
def test_max_rate_of_one_sense_gives_up_its_pictures_beyond_it(modality: Modality) -> None:
    for limited in (Modality.IMAGE, Modality.THERMAL, Modality.DEPTH):
        one, samples = sense(modality, **{f"{limited}_max_rate": 0.001})
        for at in range(5):
            colour = picture(10.0 + at)
            one.receive(
                colour if modality is Modality.IMAGE else distances(10.0 + at, np.ones((8, 8), np.uint16))
            )
        expected = Counts(received=5, dropped=4) if limited is modality else Counts(received=5)
        assert one.meter.read().counts == expected
        assert len(samples) == 5 - expected.dropped


def used(monkeypatch: pytest.MonkeyPatch, arrivals: list[float]) -> list[float]:
    """Which pictures are samples where 10 Hz are the most, by when they arrive."""
    image, samples = sense(Modality.IMAGE, image_max_rate=10.0)
    for at, arrived in enumerate(arrivals):
        monkeypatch.setattr("rvl_edge_ros.samples.perf_counter", lambda arrived=arrived: arrived)
        image.receive(picture(10.0 + at))
    return [sample.arrived for sample in samples]


def test_jitter_does_not_lower_the_highest_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 30 Hz every third picture is used, though each comes up to 5 ms early or late."""
    jitter = np.random.default_rng(0).uniform(-0.005, 0.005, 300)
    assert 99 <= len(used(monkeypatch, (np.arange(300) / 30 + jitter).tolist())) <= 101


def test_after_a_pause_the_highest_rate_holds_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert used(monkeypatch, [0.0, 5.0, 5.03, 5.06, 5.09]) == [0.0, 5.0]


def test_another_max_rate_counts_from_the_next_picture_on_and_the_same_one_changes_nothing() -> None:
    image, samples = sense(Modality.IMAGE, image_max_rate=0.001)
    image.receive(picture(10.0))
    image.apply(Settings(image_max_rate=0.001, stale_after=9.0))
    image.receive(picture(10.1))
    assert len(samples) == 1
    image.apply(Settings(image_max_rate=0.0))
    image.receive(picture(10.2))
    image.apply(Settings(image_max_rate=0.002))
    image.receive(picture(10.3))
    image.receive(picture(10.4))
    assert [sample.end for sample in samples] == [10_000_000_000, 10_200_000_000, 10_300_000_000]


class Recorder:
    """Stands where the Perceiver does, to see what a sense hands over."""

    def depth(self, depth: np.ndarray, *, unit: str | None) -> tuple[np.ndarray, str | None]:
        return depth, unit

    def audio(self, pcm: np.ndarray, *, sample_rate: float) -> np.ndarray:
        return pcm


@pytest.mark.parametrize("unit", ["", "millimetres", "metres"])
def test_depth_is_handed_over_untouched_with_its_unit(unit: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 9000, (8, 8), dtype=np.uint16)
    depth, samples = sense(Modality.DEPTH, depth_unit=unit)
    depth.receive(distances(1.0, pixels))
    got, got_unit = samples[0].perceive(Recorder())
    np.testing.assert_array_equal(got, pixels)
    assert got_unit == (unit or None)


def test_other_settings_begin_a_new_window_and_the_same_ones_do_not() -> None:
    video, samples = sense(Modality.VIDEO, video_window=2, video_hop=1)
    video.receive(picture(1.0))
    video.apply(Settings(video_window=2, video_hop=1, stale_after=9.0))
    video.receive(picture(1.1))
    assert len(samples) == 1
    video.apply(Settings(video_window=3, video_hop=1))
    video.receive(picture(1.2))
    assert len(samples) == 1
    assert video.meter.read().missing == "window has 1 of 3 frames"
