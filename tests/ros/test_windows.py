# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rvl_edge_ros.windows", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.windows import FrameWindow, SoundWindow

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000


def frame(value: int, size: int = 4) -> np.ndarray:
    return np.full((size, size), value, np.uint8)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.lists(st.integers(1, 3), max_size=40))
def test_frames_are_those_a_list_would_hold(length: int, hop: int, gaps: list[int]) -> None:
    """Oracle: cut the stream at gaps of 3 s, then take slices of every unbroken run."""
    window = FrameWindow(length, hop, max_gap=2.5)
    stamps = np.cumsum([SECOND * gap for gap in gaps]).tolist()
    runs: list[list[int]] = []
    for at, gap in enumerate(gaps):
        if not runs or gap == 3:
            runs.append([])
        runs[-1].append(at)
    expected = [tuple(run[end - length : end]) for run in runs for end in range(length, len(run) + 1, hop)]
    given_out = [window.push(frame(at), stamp) for at, stamp in enumerate(stamps)]
    found = [tuple(int(each[0, 0]) for each in full.data) for full in given_out if full]
    assert found == expected
    assert [full.stamps for full in given_out if full] == [
        tuple(stamps[at] for at in run) for run in expected
    ]


def test_a_frame_of_another_size_begins_a_new_clip() -> None:
    window = FrameWindow(2, 1, max_gap=9)
    assert window.push(frame(0), 1) is None
    assert window.push(frame(1, size=5), 2) is None
    assert window.missing == "window has 1 of 2 frames"
    assert window.push(frame(2, size=5), 3) is not None
    assert window.missing == ""


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=25),
)
def test_sound_is_what_concatenation_would_give(
    length: int, hop: int, chunks: list[tuple[int, bool]]
) -> None:
    """Oracle: keep the whole unbroken run and slice its end. One sample is one second."""
    window = SoundWindow(float(length), float(hop), gap=0.4)
    run: list[int] = []
    since, stamp, counter = length, 1000, 0
    for count, gap in chunks:
        if gap:
            stamp += 5
            run, since = [], length
        samples = list(range(counter, counter + count))
        counter += count
        run += samples
        since += count
        full = window.push(np.array(samples, np.int32)[:, None], 1, stamp * SECOND)
        stamp += count
        if len(run) >= length and since >= hop:
            since = 0
            assert full is not None
            assert full.data[:, 0].tolist() == run[-length:]
            assert full.stamps == ((stamp - length) * SECOND, stamp * SECOND)
        else:
            assert full is None


@pytest.mark.parametrize(
    "other",
    [(np.zeros((4, 1), np.int16), 2), (np.zeros((4, 2), np.int16), 1), (np.zeros((4, 1), np.float32), 1)],
)
def test_another_format_begins_a_new_window(other: tuple[np.ndarray, int]) -> None:
    window = SoundWindow(8.0, 1.0, gap=0.4)
    assert window.push(np.ones((7, 1), np.int16), 1, 0) is None
    pcm, rate = other
    assert window.push(pcm, rate, 7 * SECOND) is None
    assert window.missing == f"window has {4 / rate:.1f} of 8 s"


def test_a_chunk_that_begins_before_the_last_ones_end_begins_a_new_window() -> None:
    window = SoundWindow(4.0, 1.0, gap=0.4)
    assert window.push(np.zeros((3, 1), np.int16), 1, 0) is None
    assert window.push(np.zeros((3, 1), np.int16), 1, 2 * SECOND) is None  # a second of it was heard before
    assert window.missing == "window has 3.0 of 4 s"


def test_a_window_given_out_is_not_overwritten_by_later_sound() -> None:
    window = SoundWindow(4.0, 1.0, gap=0.4)
    full = window.push(np.arange(4, dtype=np.int16)[:, None], 1, 0)
    assert full is not None
    window.push(np.full((4, 1), 99, np.int16), 1, 4 * SECOND)
    assert full.data[:, 0].tolist() == [0, 1, 2, 3]
