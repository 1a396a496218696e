# SPDX-License-Identifier: Apache-2.0
"""Choose samples of recordings and folders, and keep them with a manifest; all or nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rvl_edge._files import folder_atomic
from rvl_edge.bundle.manifest import FileRef
from rvl_edge.errors import ConfigError, InputError
from rvl_edge.media import read_sample
from rvl_edge.offline.collecting.choosing import Item, choose
from rvl_edge.offline.collecting.manifest import SAMPLES_NAME, SampleEntry, SampleManifest
from rvl_edge.offline.collecting.sources import Source, open_source
from rvl_edge.types import Modality


@dataclass(frozen=True)
class Collected:
    """What was collected.

    Attributes:
        path: the folder.
        samples: how many there are in it.
        offered: how many there were to choose from.
        passed_over: chosen ones of recordings that cannot be used.
        labels: by label, how many.
    """

    path: Path
    samples: int
    offered: int
    passed_over: int
    labels: dict[str, int]


def collect(
    sources: Sequence[Path],
    modality: Modality,
    out: Path,
    *,
    count: int = 256,
    seed: int = 0,
    topic: str | None = None,
    seconds: float = 5.0,
    on_sample: Callable[[int, int], None] | None = None,
) -> Collected:
    """Collect samples that are spread over time and labels.

    Raw pictures are kept as PNG or .npy, compressed ones and files as the bytes that they were, sound as wav:
    what encoders see of them later is what they would have seen live. A sample of a recording that cannot be
    used is passed over, since nobody can take a message out of it; a file that cannot be is an error.

    Args:
        sources: folders of files, rosbag2 folders, .mcap and .db3 files.
        modality: what to read them as.
        out: folder to write; one already there must be of an earlier collection, and is replaced.
        count: at most so many samples.
        seed: of the choice: the same sources and seed give the same samples.
        topic: of recordings, where more than one would do.
        seconds: length of a sample of sound or video.
        on_sample: told how many are written, and of how many.

    Raises:
        ConfigError: sources that cannot be read or hold nothing, or a folder that is something else.
        MissingDependency: a recording, and rosbags is not installed.
        InputError: a file that is none of the sense, or no sample of the recordings is one.
    """
    kept = out.is_dir() and (not any(out.iterdir()) or (out / SAMPLES_NAME).is_file())
    if out.exists() and not kept:
        raise ConfigError("will not replace what is no collection", got=out, fix="name a new folder")
    paths = {path.resolve().name: path for path in sources}
    if len(paths) < len(sources):
        raise ConfigError("two sources have the same name", got=", ".join(map(str, sources)))
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(open_source(name, path, modality, topic=topic, seconds=seconds))
            for name, path in paths.items()
        }
        offered = _Counted(opened)
        chosen = choose(offered, count, seed)
        if not chosen:
            raise ConfigError("there is no sample to collect", got=", ".join(map(str, sources)))
        with folder_atomic(out) as partial:
            entries: list[SampleEntry] = []
            unusable: list[InputError] = []
            for done, item in enumerate(chosen, start=1):
                source = opened[item.source]
                try:
                    entries.append(_write(source, item, len(entries) + 1, partial, modality))
                except InputError as error:
                    if source.can_be_mended:
                        raise
                    unusable.append(error)
                if on_sample is not None:
                    on_sample(done, len(chosen))
            if not entries:
                raise unusable[0]
            manifest = SampleManifest(
                modality=modality,
                topic=topic,
                seed=seed,
                offered=offered.count,
                passed_over=len(unusable),
                samples=tuple(entries),
            )
            (partial / SAMPLES_NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    labels = dict(Counter(entry.label for entry in entries if entry.label is not None))
    return Collected(out, len(entries), offered.count, len(unusable), labels)


class _Counted:
    """The items of all sources, counted as they pass."""

    def __init__(self, sources: dict[str, Source]) -> None:
        self._sources = sources
        self.count = 0

    def __iter__(self) -> Iterator[Item]:
        for source in self._sources.values():
            for item in source.items():
                self.count += 1
                yield item


def _write(source: Source, item: Item, number: int, folder: Path, modality: Modality) -> SampleEntry:
    path = None
    try:
        stored = source.read(item)
        path = folder / f"{number:05d}{stored.suffix}"
        path.write_bytes(stored.content)
        read_sample(path, modality)
    except InputError as error:
        if path is not None:
            path.unlink()
        raise type(error)(
            f"{item.source}: {item.place} is no {modality} sample",
            got=error.what,
            fix="take it out of the source, or name another --topic or --modality",
        ) from error
    digest = hashlib.sha256(stored.content).hexdigest()
    file = FileRef(path=path.name, sha256=digest, size=len(stored.content))
    return SampleEntry(file=file, source=item.source, place=item.place, label=item.label)
