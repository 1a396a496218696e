#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: system_packages.sh PYTHON. See that the compiler, venv and Python headers are there; as root, install what is
# missing with apt; otherwise say the line to run. Nothing else of the system is touched.
set -eu
python=$1

has_module() { "$python" -c "import $1" >/dev/null 2>&1; }
has_headers() {
  "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}

# Debian's name for an interpreter's own packages: python3.11-venv, python3.11-dev.
debian_python=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
missing=""
command -v c++ >/dev/null 2>&1 || missing="$missing g++"
{ has_module venv && has_module ensurepip; } || missing="$missing $debian_python-venv"
has_headers || missing="$missing $debian_python-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "==> apt-get install$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086  # a list of words on purpose
  apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
  echo "missing on this system:$missing" >&2
  echo "run: sudo apt-get install$missing   (elsewhere than Debian and Ubuntu: the like of them)" >&2
  exit 3
fi
