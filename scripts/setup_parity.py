# SPDX-License-Identifier: Apache-2.0
"""Make `.venv-parity`, LanguageBind's reference for `make parity`: `PYTHON scripts/setup_parity.py`.

Built anew whenever its requirements or its interpreter are others than it was made from.
"""

from __future__ import annotations

import hashlib
import shutil
import sys

from setup_env import ROOT, read, run

REQUIREMENTS = ROOT / "tests" / "parity" / "requirements.txt"
VENV = ROOT / ".venv-parity"
STAMP = VENV / "made-from"


def main() -> int:
    """Bring `.venv-parity` up to date."""
    wanted = f"{sys.version} {hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()}"
    if read(STAMP) == wanted:
        return 0
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install"]
    title = f".venv-parity from CPython {sys.version.split()[0]}"
    code = run(title, [sys.executable, "-m", "venv", str(VENV)]) or run(
        "languagebind of PyPI and what it was made for, 5 GB", [*pip, "--requirement", str(REQUIREMENTS)]
    )
    if code == 0:
        STAMP.write_text(wanted)
    return code


if __name__ == "__main__":
    sys.exit(main())
