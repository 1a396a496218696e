# SPDX-License-Identifier: Apache-2.0
"""The labelled sets: samples in memory, varied a little every time they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.camera_motion import MOTIONS, simulate_motion
from rvl_edge.offline.datasets.loading import no_labelled_set
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.hardening.domains import FilterBank
from rvl_edge.offline.hardening.sources.source import (
    Labelled,
    shuffled,
    step_seed,
    steps_per_epoch,
    whose_turn,
)
from rvl_edge.offline.pretraining.augmenting import crop, jitter, mirror, shift_and_flip, turn
from rvl_edge.offline.pretraining.sounds import SpedSounds
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, PreprocessSpec, ThermalSpec, VideoSpec
from rvl_edge.types import Modality

_SPEEDS = (0.87, 0.93, 1.0, 1.07, 1.15)


class Drawer(Protocol):
    """Samples of one sense, in their domain."""

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Those at `index`, varied; all randomness is torch's global generator.

        Returns:
            (B, ...) in [0, 1], and answers (B,) int64 to further questions, in the order of `make_stimuli`.
        """


class Stored:
    """A `Source` of samples in memory.

    Args:
        draw: the samples.
        labels: (N,) int64, answers to the set's own question.
        questions: which ones take turns.
        batch_size: over all processes.
        seed: of order and variations.
    """

    def __init__(
        self, draw: Drawer, labels: Tensor, questions: Sequence[int], batch_size: int, seed: int
    ) -> None:
        self._draw, self._labels, self._questions = draw, labels, questions
        self._batch_size, self._seed = batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        """See `Source`."""
        return steps_per_epoch(len(self._labels), self._batch_size)

    def batch(self, step: int, rows: slice) -> Labelled:
        """See `Source`; the whole batch is drawn, so that a row does not depend on who asks for it."""
        index = shuffled(len(self._labels), self._batch_size, self._seed, step)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(step_seed(self._seed, step))
            samples, others = self._draw(index)
        answers = (self._labels[index], *others)
        asked = self._questions[whose_turn(step, len(self._questions))]
        return Labelled(samples[rows], answers[asked][rows])


def drawer(samples: Samples, spec: PreprocessSpec) -> Drawer:
    """The variations of each sense.

    Raises:
        ConfigError: there is no labelled set of the sense, or its pictures are not of the encoder's size.
    """
    if isinstance(spec, AudioSpec):
        return _Sounds(samples, spec)
    if isinstance(spec, ThermalSpec):
        return _Chips(samples, spec)
    if isinstance(spec, DepthSpec):
        raise no_labelled_set(Modality.DEPTH)
    return _Clips(samples, spec) if isinstance(spec, VideoSpec) else _Pictures(samples, spec)


class _Pictures:
    """Moved by up to four pixels and mirrored."""

    def __init__(self, samples: Samples, spec: ImageSpec) -> None:
        if samples.data.shape[1] != spec.size:
            raise ConfigError(
                "the encoder's picture size is not the set's",
                got=spec.size,
                expected=samples.data.shape[1],
                fix="name pictures of your own under `data`",
            )
        self._pictures = torch.from_numpy(samples.data).permute(0, 3, 1, 2).contiguous()

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return shift_and_flip(self._pictures[index].float() / 255, pad=4), ()


class _Clips:
    """Stills filmed anew every time."""

    def __init__(self, samples: Samples, spec: VideoSpec) -> None:
        self._stills = torch.from_numpy(samples.data).permute(0, 3, 1, 2).contiguous()
        self._spec = spec

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        stills = mirror(self._stills[index].float() / 255)
        motions = torch.randint(0, len(MOTIONS), (len(stills),))
        film = simulate_motion(stills, motions, frames=self._spec.num_frames, size=self._spec.size)
        return film.clamp(0, 1), (motions,)


class _Chips:
    """Turned, cropped and re-gained: seen from above, no direction is special."""

    def __init__(self, samples: Samples, spec: ThermalSpec) -> None:
        self._chips = torch.from_numpy(samples.data)[:, None]
        self._spec = spec

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        chips = crop(turn(self._chips[index].float() / 255), smallest=0.85)
        resized = functional.interpolate(
            chips, (self._spec.size,) * 2, mode=self._spec.interpolation, antialias=self._spec.antialias
        )
        return jitter(resized, gain=0.2, offset=0.1), ()


class _Sounds:
    """Filter banks of clips at nearly their speed, beginning anywhere."""

    def __init__(self, samples: Samples, spec: AudioSpec) -> None:
        self._sounds = SpedSounds(samples, spec, _SPEEDS)
        self._domain = FilterBank(spec)

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        pictures = self._sounds.pictures(self._sounds.draw(index))
        return self._domain.samples(pictures), ()
