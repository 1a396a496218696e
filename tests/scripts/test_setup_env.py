# SPDX-License-Identifier: Apache-2.0
"""The environment's set-up, with real venv and pip, on a project that needs nothing from any index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup_env.py"
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import pathlib
import zipfile

INFO = "tiny-1.dist-info"


def build_editable(folder, settings=None, metadata=None):
    if pathlib.Path("broken").exists():
        raise SystemExit("this project does not build")
    with zipfile.ZipFile(pathlib.Path(folder, "tiny-1-py3-none-any.whl"), "w") as wheel:
        extras = "Provides-Extra: demo\\nProvides-Extra: dev\\n"
        wheel.writestr(f"{INFO}/METADATA", f"Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n{extras}")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone in small: the script, a project, and a ROS step that only says it ran."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "scripts" / "setup_ros.py").write_text("print('ROS step')\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def set_up(project: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    environment.pop("ROS_DISTRO", None)
    command = [sys.executable, str(project / "scripts" / "setup_env.py"), "demo"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_second_time_nothing_is_done_until_the_project_changes(project: Path) -> None:
    first = set_up(project)
    assert first.returncode == 0, first.stderr
    assert "==> .venv from CPython" in first.stdout
    assert "==> rvl-edge-sdk[demo]" in first.stdout
    assert set_up(project).stdout == "ROS step\n"
    (project / "pyproject.toml").write_text(PROJECT + "# changed\n")
    changed = set_up(project).stdout
    assert "==> rvl-edge-sdk[demo]" in changed
    assert ".venv from" not in changed


def test_an_environment_cut_off_half_way_is_built_anew(project: Path) -> None:
    set_up(project)
    (project / ".venv" / "rvl-edge-in-progress").touch()
    leftover = project / ".venv" / "half-unpacked"
    leftover.touch()
    again = set_up(project)
    assert again.returncode == 0
    assert "cut off half-way" in again.stdout
    assert not leftover.exists()


def test_a_failed_install_is_shown_and_not_taken_for_done(project: Path) -> None:
    (project / "broken").touch()
    failed = set_up(project)
    assert failed.returncode == 3
    assert "this project does not build" in failed.stderr
    (project / "broken").unlink()
    mended = set_up(project)
    assert mended.returncode == 0
    assert "==> rvl-edge-sdk[demo]" in mended.stdout


def test_an_environment_of_the_users_own_is_used_as_it_is(project: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", project / ".venv"], check=True)
    mine = project / ".venv" / "mine"
    mine.touch()
    assert set_up(project).returncode == 0
    assert mine.exists()
