# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "find_python.sh"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first folder on PATH; its `python3` is a pyenv shim of a version that is not active."""
    found = tmp_path / "bin"
    found.mkdir()
    shim = found / "python3"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    return found


def find(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"
    clean = {"PATH": path, "HOME": str(folder), "PYENV_ROOT": str(folder / "none")}
    command, variables = [SCRIPT, *arguments], {**clean, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_a_shim_that_does_not_run_is_passed_over(folder: Path) -> None:
    (folder / "python3.11").symlink_to(sys.executable)
    found = find(folder).stdout.strip()
    program = "import sys; print((3, 10) <= sys.version_info < (3, 14))"
    assert found != str(folder / "python3")
    assert (
        subprocess.run([found, "-c", program], capture_output=True, text=True, check=True).stdout == "True\n"
    )


def test_a_version_that_pyenv_has_but_does_not_activate_is_found(folder: Path, tmp_path: Path) -> None:
    installed = tmp_path / "pyenv" / "versions" / "3.11.9" / "bin"
    installed.mkdir(parents=True)
    (installed / "python3").symlink_to(sys.executable)
    for hidden in ("python3.10", "python3.11", "python3.12", "python3.13"):
        (folder / hidden).symlink_to(folder / "python3")
    found = find(folder, PYENV_ROOT=str(tmp_path / "pyenv")).stdout.strip()
    assert found in (str(installed / "python3"), *map(str, Path("/usr/bin").glob("python3*")))


def test_the_one_asked_for_is_taken_or_refused_never_replaced(folder: Path) -> None:
    assert find(folder, PYTHON=sys.executable).stdout.strip() == sys.executable
    refused = find(folder, PYTHON=str(folder / "python3"))
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "does not run" in refused.stderr


def test_a_newer_one_than_will_do_is_refused(folder: Path) -> None:
    minor = sys.version_info.minor
    assert find(folder, str(minor), PYTHON=sys.executable).stdout.strip() == sys.executable
    refused = find(folder, str(minor - 1), PYTHON=sys.executable)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"3.10 to 3.{minor - 1}" in refused.stderr


def test_a_sourced_ros_that_no_interpreter_imports_is_said_and_survived(folder: Path) -> None:
    (folder / "python3.11").symlink_to(sys.executable)
    outcome = find(folder, ROS_DISTRO="jazzy")
    assert outcome.returncode == 0
    assert "no python3 imports rclpy" in outcome.stderr
