# SPDX-License-Identifier: Apache-2.0
"""What the Jetson scripts ask the container tool for, with one that only writes its arguments down."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "export/jetson"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    tool = tmp_path / "docker"
    tool.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n'
        f'for each; do case $each in board=*) cp -r "${{each#board=}}" "{tmp_path}/board" ;; esac; done\n'
    )
    tool.chmod(0o755)
    return tool


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    for name in ("sources.list.d/nvidia-l4t-apt-source.list", "trusted.gpg.d/jetson-ota-public.asc"):
        path = tmp_path / "apt" / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    return tmp_path / "apt"


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / script, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("release", "image", "bindings"),
    [
        ("36", "ros:humble-ros-base", "cuda-bindings>=12.8,<13"),
        ("38", "ros:jazzy-ros-base", "cuda-bindings>=13,<14"),
    ],
)
def test_the_boards_release_chooses_ros_and_cuda(
    tool: Path, apt: Path, release: str, image: str, bindings: str
) -> None:
    done = run("build.sh", "mine:1", DOCKER=str(tool), APT=str(apt), JETSON_RELEASE=release)
    assert done.returncode == 0, done.stderr
    arguments = (tool.parent / "arguments").read_text().splitlines()
    assert f"ROS_IMAGE={image}" in arguments
    assert f"CUDA_BINDINGS={bindings}" in arguments
    assert arguments[arguments.index("--tag") + 1] == "mine:1"
    assert Path(arguments[-1]) == SCRIPTS.parents[1]
    copied = sorted(path.name for path in (tool.parent / "board").rglob("*.*") if path.is_file())
    assert copied == ["jetson-ota-public.asc", "nvidia-l4t-apt-source.list"]


def test_every_argument_that_is_set_is_one_that_the_containerfile_declares(tool: Path, apt: Path) -> None:
    run("build.sh", DOCKER=str(tool), APT=str(apt), JETSON_RELEASE="36")
    arguments = (tool.parent / "arguments").read_text().splitlines()
    given = {
        arguments[at + 1].partition("=")[0] for at, each in enumerate(arguments) if each == "--build-arg"
    }
    content = (SCRIPTS / "Containerfile").read_text()
    declared = {line.split()[1].partition("=")[0] for line in content.splitlines() if line.startswith("ARG ")}
    assert given
    assert given <= declared


def test_a_machine_that_is_no_jetson_is_told_so(tool: Path, apt: Path) -> None:
    done = run("build.sh", DOCKER=str(tool), APT=str(apt), JETSON_RELEASE="35")
    assert done.returncode == 2
    assert "got release '35'" in done.stderr
    assert not (tool.parent / "arguments").exists()


def test_a_command_runs_with_the_bundles_and_the_gpu(tool: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "my bundles"
    bundles.mkdir()
    (tmp_path / "model").write_bytes(b"NVIDIA Jetson Orin Nano\0")
    command = ("rvl-edge", "bench", "/bundles/a b")
    done = run("run.sh", str(bundles), *command, DOCKER=str(tool), IMAGE="mine:1", DEVICE_TREE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    arguments = (tool.parent / "arguments").read_text().splitlines()
    assert f"{bundles}:/bundles" in arguments
    assert arguments[arguments.index("--runtime") + 1] == "nvidia"
    assert arguments[arguments.index("--env") + 1] == "RVL_EDGE_BOARD=NVIDIA Jetson Orin Nano"
    assert arguments[-4:] == ["mine:1", "rvl-edge", "bench", "/bundles/a b"]
