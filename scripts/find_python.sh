#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the interpreter to build .venv from; say why on stderr and fail where there is none.
# Every candidate is run, never only looked up: a pyenv shim exists for versions that are not active.
# Usage: find_python.sh [NEWEST], the newest minor version of Python 3 that will do; 13 unless told.
set -eu
newest=${1:-13}

needs="import sys; assert sys.implementation.name == 'cpython' and (3, 10) <= sys.version_info[:2] <= (3, $newest)
import bz2, ctypes, sqlite3, ssl, zlib"
whole='import ensurepip, lzma, venv'
compiles='import os, sysconfig; assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))'

passes() { "$1" -c "$2" >/dev/null 2>&1; }

candidates() {
  printf '%s\n' python3 /usr/bin/python3
  for version in 3.11 3.12 3.10 3.13; do
    printf '%s\n' "python$version" "/usr/bin/python$version"
    ls -d "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version."*/bin/python3 2>/dev/null || true
  done
}

first_that_passes() {
  candidates | while read -r python; do
    if passes "$python" "$1"; then command -v "$python"; break; fi
  done
}

if [ -n "${PYTHON:-}" ]; then
  passes "$PYTHON" "$needs" && { command -v "$PYTHON"; exit 0; }
  echo "PYTHON=$PYTHON does not run, or is not CPython 3.10 to 3.$newest with ssl, sqlite3, ctypes and bz2" >&2
  echo "(a pyenv version that is not active: PYTHON=$HOME/.pyenv/versions/3.12.1/bin/python3, say)" >&2
  exit 3
fi

if [ -n "${ROS_DISTRO:-}" ]; then  # a sourced ROS 2 works with one interpreter only: the one that imports its rclpy
  for python in python3 /usr/bin/python3; do
    if passes "$python" "$needs
import rclpy"; then command -v "$python"; exit 0; fi
  done
  echo "ROS_DISTRO=$ROS_DISTRO is set, but no python3 imports rclpy; going on without that install" >&2
fi

# Debian splits venv and Python.h off, pyenv may build without lzma: a whole interpreter is preferred to an earlier one.
for checks in "$needs
$whole
$compiles" "$needs
$whole" "$needs"; do
  found=$(first_that_passes "$checks")
  [ -n "$found" ] && { echo "$found"; exit 0; }
done
echo "no CPython 3.10 to 3.$newest found. On Debian or Ubuntu: sudo apt-get install python3 python3-venv python3-dev" >&2
exit 3
