# SPDX-License-Identifier: Apache-2.0
"""One file from the hub: taken up where it stopped, and believed only if its hash is right."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from rvl_edge.errors import HashMismatch
from rvl_edge.offline.pulling.hub import disk_is_full, told
from rvl_edge.offline.pulling.naming import Source
from rvl_edge.offline.pulling.pinned import HubFile, Pin, Report
from rvl_edge.offline.pulling.planning import partial_path


def fetch_file(pin: Pin, file: HubFile, staging: Path, report: Report) -> Path:
    """Download one file into the folder `staging`, durable once this returns.

    `hf_hub_download` starts over after a kill, so the file is kept here and handed to the function below it.

    Raises:
        HashMismatch: the bytes that came are not those that the hub lists.
        PullError: the network, the hub or the disk gave up; what came so far is kept.
    """
    partial = partial_path(staging, file)
    for _ in range(2):  # a beginning may be damaged, or go on with what a proxy sent from the start
        partial.touch()  # of an empty file nothing is downloaded
        _download(pin, file, partial, report)
        if file.matches(partial, report):
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            return partial.replace(staging / file.name)
        size = partial.stat().st_size
        partial.unlink()
    raise HashMismatch(
        f"{file.name} of {pin.repo} is not the file that the hub lists",
        got=f"{size} bytes of another hash, twice",
        expected=f"{file.size} bytes, {file.sha256 or file.git_oid}",
        fix="a proxy or mirror alters it: try another network, or unset HF_ENDPOINT",
    )


def _download(pin: Pin, file: HubFile, partial: Path, report: Report) -> None:
    """Fetch what is missing of a file, for as long as every attempt brings some of it."""
    url = hf_hub_url(pin.repo, file.name, revision=pin.commit)
    headers = build_hf_headers(library_name="rvl-edge")
    headers["Accept-Encoding"] = "identity"  # a range counts bytes as they are sent
    with told(Source(pin.repo, pin.commit)):
        while (begun := partial.stat().st_size) < file.size:
            try:
                with _Watched(partial, lambda done: report(file.name, done, file.size)) as stream:
                    http_get(url, stream, resume_size=begun, headers=headers, expected_size=file.size)
            except (HfHubHTTPError, OfflineModeIsEnabled):
                raise
            except (OSError, HTTPError) as error:
                if disk_is_full(error) or partial.stat().st_size <= begun:
                    raise


class _Watched(io.BufferedWriter):
    """A file that is appended to and says how long it has become."""

    def __init__(self, path: Path, report: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path, "a"))
        self._report = report

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self._report(self.tell())
        return written
