# SPDX-License-Identifier: Apache-2.0
"""The set-up's own decisions; its building is what every other test here runs on."""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def setup_ros(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    import setup_ros

    return setup_ros


def test_the_builders_folders_in_cmake_exports_become_this_machines(
    setup_ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = tmp_path / "share" / "std_msgs" / "cmake" / "export_std_msgs__rosidl_generator_pyExport.cmake"
    export.parent.mkdir(parents=True)
    theirs = "/opt/python/cp311-cp311/include/python3.11"
    numpy = "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"
    export.write_text(f'INTERFACE_INCLUDE_DIRECTORIES "{theirs};{numpy}"\nOTHER "/opt/other/include"\n')
    monkeypatch.setattr(setup_ros, "VENV", tmp_path)
    setup_ros.point_exports_here()
    here = f'"{sysconfig.get_path("include")};{np.get_include()}"'
    assert export.read_text() == f'INTERFACE_INCLUDE_DIRECTORIES {here}\nOTHER "/opt/other/include"\n'
    setup_ros.point_exports_here()
    assert here in export.read_text()


@pytest.mark.parametrize(
    ("machine", "libc", "said"),
    [
        ("x86_64", ("glibc", "2.36"), None),
        ("aarch64", ("glibc", "2.36"), "aarch64"),
        ("x86_64", ("glibc", "2.27"), "glibc 2.28"),
        ("x86_64", ("", ""), "another libc"),
    ],
)
def test_a_platform_without_wheels_is_told_so(
    setup_ros, monkeypatch: pytest.MonkeyPatch, machine: str, libc: tuple[str, str], said: str | None
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    reason = setup_ros.why_no_wheels()
    assert reason is None if said is None else said in reason


def test_a_change_of_a_message_is_noticed(setup_ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = tmp_path / "msg" / "A.msg"
    message.parent.mkdir()
    message.write_text("bool a\n")
    monkeypatch.setattr(setup_ros, "MESSAGES", tmp_path)
    monkeypatch.setattr(setup_ros, "ROOT", Path("/"))
    before = setup_ros.fingerprint("")
    assert setup_ros.fingerprint("") == before
    assert setup_ros.fingerprint("humble") != before
    message.write_text("bool b\n")
    assert setup_ros.fingerprint("") != before
