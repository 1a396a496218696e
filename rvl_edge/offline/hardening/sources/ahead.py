# SPDX-License-Identifier: Apache-2.0
"""The next batch is fetched while this one is trained on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from rvl_edge.offline.hardening.sources.source import Labelled, Source


class Ahead:
    """A `Source` that fetches one step ahead of what is asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._thread = ThreadPoolExecutor(1, "fetching")
        self._awaited: tuple[int, slice] | None = None
        self._pending: Future[Labelled] | None = None

    @property
    def steps_per_epoch(self) -> int | None:
        """See `Source`."""
        return self._source.steps_per_epoch

    def batch(self, step: int, rows: slice) -> Labelled:
        """See `Source`."""
        if self._pending is None or self._awaited != (step, rows):
            self._pending = self._thread.submit(self._source.batch, step, rows)
        found = self._pending.result()
        self._awaited = (step + 1, rows)
        self._pending = self._thread.submit(self._source.batch, step + 1, rows)
        return found
