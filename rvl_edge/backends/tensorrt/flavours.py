# SPDX-License-Identifier: Apache-2.0
"""The two packages that are TensorRT, and what they say while they work.

`tensorrt` and `tensorrt_rtx` have the same Python API where rvl_edge uses it (10.3 to 11). It is passed
around as a module, so that one builder and one runner serve both.
"""

from __future__ import annotations

from collections import deque
from importlib import import_module
from typing import Any, Final

from rvl_edge.backends.cuda.interface import gpu_failure, status_of
from rvl_edge.bundle.manifest import EngineFlavour
from rvl_edge.errors import BackendError, MissingDependency

FLAVOURS: Final[dict[EngineFlavour, str]] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
_OLDEST = (10, 3)  # of tensorrt: the first JetPack 6 release, and the first with all that is used here
_KEPT = 20  # messages


def import_tensorrt(flavour: EngineFlavour) -> Any:
    """The package of a flavour.

    Raises:
        MissingDependency: it is not installed, cannot be loaded, or is too old.
    """
    try:
        module = import_module(FLAVOURS[flavour])
    except (ImportError, OSError) as error:  # OSError: a library that it loads itself is missing
        raise MissingDependency(f"{flavour} is not installed", got=error, fix=_fix(flavour)) from error
    if not hasattr(module, "__version__"):  # a folder of type stubs
        raise MissingDependency(f"{flavour} is not installed", got=module, fix=_fix(flavour))
    release = tuple(int(part) for part in module.__version__.split(".")[:2])
    if flavour == "tensorrt" and release < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise MissingDependency(
            f"{flavour} is too old", got=module.__version__, expected=f"{oldest} or later", fix=_fix(flavour)
        )
    return module


class Log:
    """What TensorRT said, of which the last errors explain a failure.

    Attributes:
        errors: the last errors, oldest first.
        warnings: the last warnings.
        layers: the description of an engine's layers, which its builder writes to the log.
    """

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=_KEPT)
        self.warnings: deque[str] = deque(maxlen=_KEPT)
        self.layers: str | None = None

    def attach(self, trt: Any) -> Any:
        """A logger that writes here; whoever is given it must not outlive it."""
        severity = trt.ILogger.Severity

        class Logger(trt.ILogger):  # type: ignore[misc]  # a class of whichever package this is
            def __init__(self, log: Log) -> None:
                trt.ILogger.__init__(self)
                self._log = log

            def log(self, level: Any, message: str) -> None:
                if level in (severity.INTERNAL_ERROR, severity.ERROR):
                    self._log.errors.append(message)
                elif level == severity.WARNING:
                    self._log.warnings.append(message)
                elif message.startswith("Layers:\n"):
                    self._log.layers = message

        return Logger(self)

    def failure(self, what: str, *, fix: str | None = None) -> BackendError:
        """The error for a call that TensorRT refused, which it explains in its log alone.

        What it said is forgotten then: it does not explain the next failure.
        """
        said = " ".join(self.errors).replace("OutOfMemory", "out of memory")  # the name of its own code
        got = self.errors[-1] if self.errors else "no reason was given"
        self.errors.clear()
        return gpu_failure(what, status_of(said), got) or BackendError(what, got=got, fix=fix)


def _fix(flavour: EngineFlavour) -> str:
    wheel = f"pip install 'rvl-edge-sdk[{flavour}]'"
    if flavour == "tensorrt":
        return (
            f"{wheel}; on a Jetson it comes with JetPack: apt install tensorrt, and a virtual environment "
            "made with --system-site-packages"
        )
    return f"{wheel} (x86-64)"
