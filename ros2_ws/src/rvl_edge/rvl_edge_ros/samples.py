# SPDX-License-Identifier: Apache-2.0
"""From one sense's messages to samples to perceive: what is alike for every sense."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from std_msgs.msg import Header

from rvl_edge import InputError, Modality, Perceiver, Perception
from rvl_edge_ros.meter import Meter
from rvl_edge_ros.params import Settings
from rvl_edge_ros.windows import NANOSECONDS, FrameWindow, SoundWindow

CLOCK_JUMP = NANOSECONDS  # stamps that fall back this far come from a clock or a recording begun anew
_STUCK = 3  # messages out of order in a row that are no mishap of the network, nor one sent twice
_SETTLED = 20  # messages in order by which a clock that started over is told from two clocks at once


@dataclass(frozen=True)
class Sample:
    """What to perceive.

    Attributes:
        header: of the message that completed it.
        start: when its first part was taken, in nanoseconds.
        end: when its last part was.
        arrived: `perf_counter` when that message came.
        perceive: runs it through the encoders.
    """

    header: Header
    start: int
    end: int
    arrived: float
    perceive: Callable[[Perceiver], Perception]


class Sense(ABC):
    """One sense's way from a message to a sample; used on the executor's thread.

    Args:
        modality: the sense.
        put: takes each sample.
        now: nanoseconds on the node's clock, for messages without a stamp.
    """

    _window: FrameWindow | SoundWindow | None = None

    def __init__(
        self, modality: Modality, put: Callable[[Modality, Sample], None], now: Callable[[], int]
    ) -> None:
        self.modality = modality
        self.meter = Meter()
        self._put = put
        self._now = now
        self._last = -1
        self._late = 0
        self._restarts = 0
        self._since_restart = _SETTLED

    def receive(self, message: Any) -> None:
        """Take one message, whatever is in it; what cannot be used is counted and explained."""
        arrived = perf_counter()
        self.meter.received()
        try:
            sample = self._sample(message, arrived)
        except InputError as error:
            self.meter.rejected(str(error))
        except Exception as error:  # raised on, it would end the executor, and every sense with it
            self.meter.failed(f"{type(error).__name__}: {error}")
        else:
            if sample is not None:
                self._put(self.modality, sample)

    def refuse(self, reason: str) -> None:
        """Count a message that cannot even be decoded."""
        self.meter.received()
        self.meter.rejected(reason)

    @abstractmethod
    def apply(self, settings: Settings) -> None:
        """Use other settings from the next message on."""

    @abstractmethod
    def _sample(self, message: Any, arrived: float) -> Sample | None:
        """Decode a message; None where it makes no sample by itself or was dropped."""

    def _in_order(self, stamp: int) -> bool:
        """Whether a stamp is later than the last; a message that is not is dropped and counted.

        One of a clock that started over passes too, unless that happens over and over: then two drivers send.
        """
        if not self._later(stamp):
            self._late += 1
            self.meter.dropped(_out_of_order(stamp, self._last) if self._late >= _STUCK else "")
            return False
        self._late = 0
        last, self._last = self._last, stamp
        if stamp > last:
            self._since_restart += 1
            return True
        if self._window is not None:
            self._window.clear()
        self._restarts = self._restarts + 1 if self._since_restart < _SETTLED else 1
        self._since_restart = 0
        if self._restarts < _STUCK:
            return True
        self.meter.dropped(_out_of_order(stamp, last))
        return False

    def _later(self, stamp: int) -> bool:
        """Whether a stamp is later than the last, or of a clock that started over."""
        return stamp > self._last or stamp <= self._last - CLOCK_JUMP

    def _stamp(self, header: Header) -> int:
        stamp: int = header.stamp.sec * NANOSECONDS + header.stamp.nanosec
        return stamp or self._arrival()

    def _arrival(self) -> int:
        """The stamp of a message that has none."""
        now = self._now()
        # Simulated time stands still between two messages of /clock; what arrives in between is in order.
        return now if self._later(now) else self._last + 1


def _out_of_order(stamp: int, last: int) -> str:
    error = InputError(
        "the stamps do not rise",
        got=f"{stamp / NANOSECONDS:.3f} s",
        expected=f"later than {last / NANOSECONDS:.3f} s",
        fix="check the driver's clock, and that one driver alone publishes the topic",
    )
    return str(error)
