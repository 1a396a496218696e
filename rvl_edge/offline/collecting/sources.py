# SPDX-License-Identifier: Apache-2.0
"""Where samples are collected from: folders of files, and recordings of topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rvl_edge.errors import BadEncoding, ConfigError, MissingDependency
from rvl_edge.offline.collecting import audio_common
from rvl_edge.offline.collecting.audio_common import SoundFormat
from rvl_edge.offline.collecting.choosing import SPANS, Item
from rvl_edge.offline.collecting.messages import TYPES, Stored, check_joined, store
from rvl_edge.types import Modality

_RECORDINGS = (".mcap", ".db3")
_WINDOWED = (Modality.AUDIO, Modality.VIDEO)


class Source(Protocol):
    """Something that samples are in.

    Attributes:
        can_be_mended: whether its owner can take a single sample out of it.
    """

    can_be_mended: ClassVar[bool]

    def items(self) -> Iterator[Item]:
        """Every sample of it, none of which is read."""

    def read(self, item: Item) -> Stored:
        """One sample as a file that has lost nothing.

        Raises:
            InputError: what lies there is no sample.
        """


class Folder:
    """Files, as they are; the first folder below is a file's label.

    Args:
        name: what items call it.
        path: the folder.
    """

    can_be_mended: ClassVar[bool] = True

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def items(self) -> Iterator[Item]:
        """See `Source`."""
        below = [path.relative_to(self._path) for path in sorted(self._path.rglob("*")) if path.is_file()]
        shown = [path for path in below if not any(part.startswith(".") for part in path.parts)]
        groups: dict[str | None, list[Path]] = {}
        for path in shown:
            groups.setdefault(path.parts[0] if len(path.parts) > 1 else None, []).append(path)
        for label, paths in groups.items():
            for at, path in enumerate(paths):
                yield Item(self._name, path.as_posix(), SPANS * at // len(paths), label)

    def read(self, item: Item) -> Stored:
        """See `Source`."""
        path = self._path / item.place
        return Stored(path.suffix.lower(), path.read_bytes())


class Recording:
    """One topic of a rosbag2 or mcap recording.

    Args:
        name: of the recording.
        reader: an opened `rosbags.highlevel.AnyReader`.
        connections: of the topic.
        modality: what its messages are samples of.
        seconds: length of one sample of sound or video.
        sound: format of messages that do not say it themselves.
    """

    can_be_mended: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        reader: Any,
        connections: Sequence[Any],
        *,
        modality: Modality,
        seconds: float,
        sound: SoundFormat | None,
    ) -> None:
        self._name = name
        self._reader = reader
        self._connections = connections
        self._modality = modality
        self._sound = sound
        self._window = round(seconds * 1e9) if modality in _WINDOWED else None

    def items(self) -> Iterator[Item]:
        """See `Source`. A window is a sample where messages lie in both its halves and after it.

        Messages of one stamp cannot be told apart, so they are one item.
        """
        start, length = self._reader.start_time, max(1, self._reader.end_time - self._reader.start_time)
        stamps: Iterator[int] = (stamp for _, stamp, _ in self._reader.messages(self._connections))
        if self._window is not None:
            stamps = _windows(stamps, start, self._window)
        else:
            stamps = (stamp for stamp, _ in groupby(stamps))
        for stamp in stamps:
            yield Item(self._name, str(stamp), min(SPANS - 1, SPANS * (stamp - start) // length))

    def read(self, item: Item) -> Stored:
        """See `Source`."""
        start = int(item.place)
        found = self._reader.messages(self._connections, start=start, stop=start + (self._window or 1))
        messages = [(stamp, self._decoded(connection, raw)) for connection, stamp, raw in found]
        if self._modality is Modality.AUDIO:
            check_joined(messages)
        return store([message for _, message in messages], self._modality)

    def _decoded(self, connection: Any, raw: bytes) -> Any:
        try:
            message = self._reader.deserialize(raw, connection.msgtype)
        except Exception as error:  # damage raises whatever the generated decoder trips over
            raise BadEncoding("a message cannot be decoded", got=repr(error)) from error
        return message if self._sound is None else self._sound.chunk(message)


def _windows(stamps: Iterator[int], start: int, length: int) -> Iterator[int]:
    """Where windows begin that something lies in both halves of; the last one may be cut off, and is not."""
    halves: set[int] = set()
    window = 0
    for stamp in stamps:
        at = (stamp - start) // length
        if at != window:
            if len(halves) == 2:
                yield start + window * length
            window, halves = at, set()
        halves.add(2 * (stamp - start - at * length) // length)


def open_source(
    name: str, path: Path, modality: Modality, *, topic: str | None, seconds: float
) -> AbstractContextManager[Source]:
    """A source that is open within a block.

    Args:
        name: what its items call it.
        path: a folder or recording.
        modality: what to read it as.
        topic: of a recording, where more than one would do.
        seconds: length of a sample of sound or video.

    Raises:
        ConfigError: neither a folder nor a recording, or no single topic with samples of the sense.
        MissingDependency: a recording, and rosbags is not installed.
    """
    if path.suffix in _RECORDINGS or (path / "metadata.yaml").is_file():
        return _recording(name, path, modality, topic, seconds)
    if not path.is_dir():
        raise ConfigError(
            "samples are collected from folders and recordings",
            got=path,
            expected="a folder of files, a rosbag2 folder, .mcap or .db3",
        )
    return nullcontext(Folder(name, path))


@contextmanager
def _recording(
    name: str, path: Path, modality: Modality, topic: str | None, seconds: float
) -> Iterator[Source]:
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise MissingDependency(
            "recordings are read by rosbags", got=error, fix="pip install 'rvl-edge-sdk[bags]'"
        ) from error
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            connections = _connections(reader, path, modality, topic)
            apart = any(each.msgtype in audio_common.TYPES for each in connections)
            sound = audio_common.read_format(reader, path) if apart else None
            yield Recording(name, reader, connections, modality=modality, seconds=seconds, sound=sound)
    except AnyReaderError as error:
        raise ConfigError(
            f"{path} cannot be read",
            got=error,
            fix="mend a recording that was cut off by `mcap recover` or `ros2 bag reindex`",
        ) from error
    except KeyError as error:  # a type that nothing defines
        raise ConfigError(
            f"{path} cannot be read", got=error, fix="record to mcap, which carries its message definitions"
        ) from error


def _connections(reader: Any, path: Path, modality: Modality, topic: str | None) -> list[Any]:
    fitting = [each for each in reader.connections if each.msgtype in TYPES[modality]]
    topics = sorted({each.topic for each in fitting})
    wanted = topics if topic is None else [topic]
    if len(wanted) != 1 or wanted[0] not in topics:
        raise ConfigError(
            f"no single topic of {path} is meant",
            got=topic or "no --topic",
            expected=", ".join(topics) or f"a topic of {' or '.join(TYPES[modality])}",
            fix="name one with --topic",
        )
    return [each for each in fitting if each.topic == wanted[0]]
