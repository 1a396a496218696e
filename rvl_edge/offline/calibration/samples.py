# SPDX-License-Identifier: Apache-2.0
"""Real samples of one sense with the right answers: a labelled set, or a folder of the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError, InputError
from rvl_edge.media import (
    AudioSample,
    DepthSample,
    ImageSample,
    Sample,
    ThermalSample,
    VideoSample,
    check_beginning,
    read_sample,
)
from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import Question, make_stimuli
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import UNKNOWN, Modality

_CHOICE_SEED = 0


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """N samples of one sense, as its sensor gives them, in random order.

    Attributes:
        modality: the sense.
        samples: made or read when iterated over.
        questions: each about all samples.
        source: where they are from, for people.
    """

    modality: Modality
    samples: Sequence[Sample]
    questions: tuple[Question, ...]
    source: str

    def __len__(self) -> int:
        return len(self.samples)


def from_set(modality: Modality, spec: PreprocessSpec, data: Path, part: Part, most: int) -> LabelledSamples:
    """Up to `most` samples of one part of the sense's labelled set; the same ones every time.

    Args:
        modality: the sense.
        spec: of its encoder; says how many frames the simulated clips of video have.
        data: folder of the labelled sets.
        part: of the set.
        most: how many samples.

    Raises:
        ConfigError: the set is not there, or broken, or the sense has none.
    """
    whole = load_part(modality, data, part)
    order = np.random.default_rng(_CHOICE_SEED).permutation(len(whole))
    stimuli = make_stimuli(whole.take(order[:most]), spec, part)
    return LabelledSamples(
        modality,
        [as_sample(modality, each, stimuli.sample_rate) for each in stimuli.samples],
        stimuli.questions,
        f"the {part.value} part of {FOLDERS[modality]}",
    )


def is_label_folder(data: Path) -> bool:
    """Whether a folder is one of the user's own samples, `<label>/<file>`, and not of the labelled sets."""
    folders = {path.name for path in data.iterdir() if path.is_dir()} if data.is_dir() else set()
    return bool(folders) and not folders & set(FOLDERS.values())


def senses_to_calibrate(
    usable: Iterable[Modality], data: Path, wanted: Sequence[Modality] | None
) -> Sequence[Modality | None]:
    """Those that are wanted; else all usable ones with a labelled set, or the one of the user's own samples.

    Args:
        usable: the bundle's senses.
        data: folder of the labelled sets or of own samples.
        wanted: senses asked for; None leaves the choice.

    Returns:
        The senses; None stands for what the own samples are taken for.

    Raises:
        ConfigError: several senses of own samples, which are of one; or there is no set of any.
    """
    own = is_label_folder(data)
    if own and len(wanted or ()) > 1:
        raise ConfigError("own samples are of one sense", got=", ".join(wanted or ()), expected="one")
    there = [each for each in usable if each in FOLDERS and (data / FOLDERS[each]).is_dir()]
    if not (wanted or own or there):
        expected = "labelled sets, or folders named as labels"
        raise ConfigError("no samples there", got=data, expected=expected)
    return wanted or ([None] if own else there)


def from_folder(
    folder: Path, modality: Modality | None, most: int, *, strangers: bool = False
) -> LabelledSamples:
    """The user's own samples: one folder a label, with pictures, sounds, videos or arrays of one sense.

    Args:
        folder: holds `<label>/<file>`; the label is the folder's name as it is. Hidden files are passed over.
        modality: the sense; None is what the first file is taken for.
        most: how many samples, drawn from all labels alike.
        strangers: take what is in `unknown/`, which shows none of the labels, as well; its answer is -1.

    Raises:
        ConfigError: fewer than two labels, or one without a file.
        InputError: files that do not begin as those of the sense do; they are looked over before any is
            encoded. What is damaged further on is found when it is come to.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not strangers:
        names = [name for name in names if name != UNKNOWN]
    found = [
        (path, name)
        for name in names
        for path in sorted((folder / name).iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    counts = Counter(name for _, name in found)
    labels = tuple(name for name in names if name != UNKNOWN)
    empty = [label for label in labels if not counts[label]]
    if len(labels) < 2 or empty:
        raise ConfigError(
            "a label without samples" if empty else "too few labels",
            got=", ".join(empty) if empty else f"{len(labels)} in {folder}",
            expected="two folders or more, named as the labels, each with files of one sense",
        )
    order = np.random.default_rng(_CHOICE_SEED).permutation(len(found))[:most]
    chosen = [found[place] for place in order]
    sense = read_sample(chosen[0][0]).modality if modality is None else modality
    _check_beginnings([path for path, _ in chosen], sense)
    answers = [-1 if name == UNKNOWN else labels.index(name) for _, name in chosen]
    return LabelledSamples(
        sense,
        _Files(tuple(path for path, _ in chosen), sense),
        (Question(folder.resolve().name, labels, np.array(answers, np.int64)),),
        str(folder),
    )


def _check_beginnings(paths: Sequence[Path], sense: Modality) -> None:
    refused: list[InputError] = []
    for path in paths:
        try:
            check_beginning(path, sense)
        except InputError as error:
            refused.append(error)
    if refused:
        first = refused[0]
        others = f", and {len(refused) - 1} more like it" if len(refused) > 1 else ""
        raise type(first)(
            first.what,
            got=f"{first.got}{others}",
            expected=first.expected,
            fix=f"take out of the folder what is no {sense} sample, or name another --modality",
        )


class _Files(Sequence[Sample]):
    """Files read one at a time: photographs of a season do not fit in memory."""

    def __init__(self, paths: tuple[Path, ...], modality: Modality) -> None:
        self._paths = paths
        self._modality = modality

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Sample]:
        return (read_sample(path, self._modality) for path in self._paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return _Files(self._paths[place], self._modality)
        return read_sample(self._paths[place], self._modality)


def as_sample(modality: Modality, sample: npt.NDArray[Any], sample_rate: int) -> Sample:
    """A sample as a file of its sense would give it; `sample_rate` is of sounds, in Hz."""
    if modality is Modality.IMAGE:
        return ImageSample(sample)
    if modality is Modality.THERMAL:
        return ThermalSample(sample)
    if modality is Modality.DEPTH:
        return DepthSample(sample)
    if modality is Modality.AUDIO:
        return AudioSample(sample, sample_rate)
    return VideoSample(sample, stamps=None)
