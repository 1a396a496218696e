# SPDX-License-Identifier: Apache-2.0
"""How far a build is, and stopping it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Step = Callable[[str, int, int, str], None]
"""Takes how far one engine is: its graph's name, steps done, steps in all, and what is at work."""


class Progress:
    """Follows the outermost phase of a build; inner ones only say what is at work.

    Attributes:
        stopped: set it, and TensorRT gives up at its next step.
    """

    def __init__(self, name: str, on_step: Step | None) -> None:
        self._name = name
        self._on_step = on_step
        self._outermost = ""
        self._done, self._total = 0, 1
        self.stopped = threading.Event()

    def attach(self, trt: Any) -> Any:
        """A monitor that reports here; whoever is given it must not outlive it."""

        class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # a class of whichever package this is
            def __init__(self, progress: Progress) -> None:
                trt.IProgressMonitor.__init__(self)
                self._progress = progress

            def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
                self._progress.begin(phase, parent, steps)

            def step_complete(self, phase: str, step: int) -> bool:
                return self._progress.step(phase, step)

            def phase_finish(self, phase: str) -> None:
                self._progress.finish(phase)

        return Monitor(self)

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase begins, inside of another unless `parent` is None."""
        if parent is None:
            self._outermost, self._done, self._total = phase, 0, max(steps, 1)
        self._tell(phase)

    def step(self, phase: str, step: int) -> bool:
        """A step of a phase is done; returns whether to go on."""
        if phase == self._outermost:
            self._done = step + 1
            self._tell(phase)
        return not self.stopped.is_set()

    def finish(self, phase: str) -> None:
        """A phase is over."""
        if phase == self._outermost:
            self._done = self._total
            self._tell("done")

    def _tell(self, phase: str) -> None:
        if self._on_step is not None:
            self._on_step(self._name, min(self._done, self._total), self._total, phase)
