# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadEncoding, MissingDependency
from rvl_edge.media import VideoSample, read_sample, video_frames
from rvl_edge.preprocess import VideoSpec, preprocess_video

HEIGHT, WIDTH = 48, 64


def numbered_frames(count: int) -> npt.NDArray[np.uint8]:
    frames = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    frames[:] = np.arange(count)[:, None, None, None] * 5
    frames[:, :8, :8] = (200, 10, 60)  # tells up from down and red from blue
    return frames


def write_video(
    path: Path,
    frames: npt.NDArray[np.uint8],
    stamps_ms: Sequence[int],
    codec: str = "ffv1",
    pixels: str = "bgr0",
) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels_of_frame, stamp in zip(frames, stamps_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels_of_frame, "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_frames_come_in_order_in_rgb_with_their_stamps(tmp_path: Path) -> None:
    frames = numbered_frames(20)
    stamps = [1000 + 40 * i + (i > 9) * 400 for i in range(20)]
    got = list(video_frames(write_video(tmp_path / "a.mkv", frames, stamps)))
    np.testing.assert_array_equal([frame.rgb for frame in got], frames)
    assert [frame.stamp for frame in got] == pytest.approx([(ms - 1000) / 1000 for ms in stamps])


@pytest.mark.parametrize("count", [1, 3, 8, 30, 47])
def test_read_video_picks_what_preprocessing_would_pick(tmp_path: Path, count: int) -> None:
    frames = numbered_frames(count)
    sample = read_sample(write_video(tmp_path / "a.mkv", frames, [i * 40 for i in range(count)]))
    assert isinstance(sample, VideoSample)
    assert sample.stamps is not None
    assert len(sample.frames) == len(sample.stamps) <= 8
    spec = VideoSpec(size=32, mean=(0, 0, 0), std=(1, 1, 1), num_frames=8)
    np.testing.assert_array_equal(
        preprocess_video(sample.frames, spec, stamps=sample.stamps),
        preprocess_video(frames, spec, stamps=np.arange(count) * 0.04),
    )


def test_frames_are_spread_in_time_and_not_in_number(tmp_path: Path) -> None:
    stamps = [*range(0, 100, 10), *range(1000, 8000, 1000)]  # a burst, then one frame a second
    sample = read_sample(write_video(tmp_path / "a.mkv", numbered_frames(17), stamps))
    assert isinstance(sample, VideoSample)
    np.testing.assert_allclose(sample.stamps, [0, 1, 2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize(("sine", "cosine"), [(1, 0), (-1, 0), (0, -1)])
def test_rotated_video_is_turned_upright_like_opencv_does(tmp_path: Path, sine: int, cosine: int) -> None:
    path = write_video(tmp_path / "a.mp4", numbered_frames(3), [0, 40, 80], "mpeg4", "yuv420p")
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    one = 1 << 16
    for offset, value in ((0, cosine), (4, sine), (12, -sine), (16, cosine)):
        data[matrix + offset : matrix + offset + 4] = (value * one).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    capture = cv2.VideoCapture(str(path))
    read, bgr = capture.read()
    capture.release()
    if not read:
        pytest.skip("this OpenCV reads no mp4")
    got = next(iter(video_frames(path))).rgb
    assert got.shape == bgr.shape
    np.testing.assert_allclose(got, bgr[..., ::-1], atol=8)


def test_video_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", numbered_frames(40), [i * 40 for i in range(40)])
    whole = len(list(video_frames(path)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 1 <= len(list(video_frames(path))) < whole
    assert isinstance(read_sample(path), VideoSample)


def test_video_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4", numbered_frames(10), [i * 40 for i in range(10)], "mpeg4", "yuv420p"
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadEncoding):
        read_sample(path)


def test_video_needs_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mkv", numbered_frames(2), [0, 40])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match=r"rvl-edge-sdk\[media\]"):
        read_sample(path)
