# SPDX-License-Identifier: Apache-2.0
"""Make `.venv` and install this project into it: `PYTHON scripts/setup_env.py {demo,test}`.

Run by the interpreter the environment is to be built from; standard library only. What is up to date is left
alone: a stamp holds the hash of what it was made from, and is written only after its step has ended well. An
environment whose building was cut off is built anew: pip takes a half-unpacked package for an installed
one. An environment of the user's own making is used as it is.
"""

from __future__ import annotations

import collections
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
IDENTITY = VENV / "rvl-edge-built-for.json"
IN_PROGRESS = VENV / "rvl-edge-in-progress"
EXTRAS = {"demo": "demo", "test": "dev"}


def main() -> int:
    """Bring `.venv` up to date for one target."""
    target = sys.argv[1] if len(sys.argv) == 2 else ""
    if target not in EXTRAS:
        print(f"usage: setup_env.py {{{','.join(EXTRAS)}}}", file=sys.stderr)
        return 2
    with (ROOT / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make -j demo test` must not build one environment twice at a time
        return make_environment() or install(EXTRAS[target]) or set_up_ros()


def make_environment() -> int:
    """Create the virtual environment, or keep the one made from this interpreter, here, to its end."""
    interpreter = os.path.realpath(sys.executable)  # not .venv, which may be active and about to go
    built_for = {
        "python": sys.version,
        "executable": interpreter,
        "root": str(ROOT),
        "ros_distro": sourced_ros(),
    }
    identity = json.dumps(built_for)
    if PYTHON.exists() and not IN_PROGRESS.exists() and read(IDENTITY) in (identity, None):
        return 0
    title = f".venv from CPython {sys.version.split()[0]}"
    if VENV.exists():
        was = "cut off half-way" if IN_PROGRESS.exists() else "made for another interpreter, place or ROS"
        title += f" (the old one was {was})"
        shutil.rmtree(VENV)
    VENV.mkdir()
    IN_PROGRESS.touch()
    options = ["--system-site-packages"] if sourced_ros() else []
    code = run(title, [interpreter, "-m", "venv", *options, str(VENV)])
    if code == 0:
        IDENTITY.write_text(identity)
        IN_PROGRESS.unlink()
    return code


def sourced_ros() -> str | None:
    """Name of the ROS 2 distribution in force, if this interpreter can import its rclpy."""
    distro = os.environ.get("ROS_DISTRO")
    if not distro:
        return None
    probe = subprocess.run([sys.executable, "-c", "import rclpy"], capture_output=True, check=False)
    return distro if probe.returncode == 0 else None


def install(extra: str) -> int:
    """Install the project, editable, with one extra."""
    stamp = VENV / f"rvl-edge-{extra}.stamp"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if read(stamp) == wanted:
        return 0
    command = [str(PYTHON), "-m", "pip", "install", "--editable", f"{ROOT}[{extra}]"]
    IN_PROGRESS.touch()
    code = run(f"rvl-edge-sdk[{extra}] and what it needs", command)
    IN_PROGRESS.unlink()  # pip came to its own end, good or bad, and left nothing half-unpacked
    if code == 0:
        stamp.write_text(wanted)
    return code


def set_up_ros() -> int:
    """Real rclpy and the project's messages where they can be had; else say what will not run."""
    return subprocess.run([str(PYTHON), str(ROOT / "scripts" / "setup_ros.py")], check=False).returncode


def run(title: str, command: list[str]) -> int:
    """Run a long command showing its newest line; then its time, or its last lines if it failed."""
    print(f"==> {title}", flush=True)
    start = time.monotonic()
    tail: collections.deque[str] = collections.deque(maxlen=30)
    width = shutil.get_terminal_size().columns - 6
    live = sys.stdout.isatty()
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **output, text=True, cwd=ROOT) as process:
        for line in process.stdout or ():
            tail.append(line)
            if live:
                print(f"\r\033[K    {line.strip()[:width]}", end="", flush=True)
    if live:
        print("\r\033[K", end="")
    if process.returncode:
        print("".join(tail), f"failed: {' '.join(command)}", sep="", file=sys.stderr)
        return 3
    print(f"    {time.monotonic() - start:.0f} s", flush=True)
    return 0


def read(path: Path) -> str | None:
    """The text of a file, or None where there is none."""
    return path.read_text() if path.is_file() else None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
