# SPDX-License-Identifier: Apache-2.0
"""What a training starts from, by content: a snapshot is of this and of nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rvl_edge.bundle.files import hash_file
from rvl_edge.offline.towers.weights import find_weights


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hash_file(file)


def weights_sha256(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a checkpoint's weights, by name.

    Raises:
        CheckpointError: no checkpoint there.
    """
    return {path.name: file_sha256(path) for path in find_weights(folder)}


def json_sha256(content: Any) -> str:
    """SHA-256 of lists, mappings, texts and numbers, written as JSON in the order that they have."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
