# SPDX-License-Identifier: Apache-2.0
"""The command line as a user runs it: another process, its exit code and what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Runs `rvl-edge ARGUMENTS` in a folder; `blocked` modules cannot be imported there."""

    folder: Path

    def __call__(self, *arguments: object, blocked: tuple[str, ...] = ()) -> Outcome:
        hidden = self.folder / "blocked"
        hidden.mkdir(exist_ok=True)
        for module in blocked:
            (hidden / f"{module}.py").write_text(f"raise ImportError('blocked {module}')\n")
        search = os.pathsep.join([str(hidden), str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-m", "rvl_edge.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": search, "COLUMNS": "160"},
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
