# SPDX-License-Identifier: Apache-2.0
"""How fast each kernel was on this GPU, kept from build to build; `tensorrt` only.

tensorrt_rtx measures nothing while it builds and has no use for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rvl_edge.backends.tensorrt.cache import CacheFile
from rvl_edge.bundle.engines import Machine


class TimingCache:
    """The timings of one release of TensorRT on one kind of GPU.

    Args:
        trt: the TensorRT package.
        config: an `IBuilderConfig`.
        machine: where the build runs.
        folder: where the cache is kept; None is the user's cache folder.
    """

    def __init__(self, trt: Any, config: Any, machine: Machine, folder: Path | None = None) -> None:
        self._trt = trt
        self._config = config
        device = "-".join(machine.device.split()).replace("/", "-")
        self._file = CacheFile(f"{machine.version}-{machine.compute_capability}-{device}.timings", folder)
        kept = config.create_timing_cache(self._file.read() or b"")
        # None: it is damaged, or of another driver
        config.set_timing_cache(kept or config.create_timing_cache(b""), ignore_mismatch=False)

    def keep(self) -> str | None:
        """Add what was measured to what other builds kept meanwhile; returns why not, if it could not."""
        return self._file.update(self._merged)

    def _merged(self, kept: bytes | None) -> bytes:
        own = self._config.get_timing_cache()
        others = self._config.create_timing_cache(kept or b"")
        if others is not None:
            own.combine(others, ignore_mismatch=False)
        return bytes(own.serialize())
