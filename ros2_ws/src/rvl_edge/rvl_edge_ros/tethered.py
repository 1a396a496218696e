# SPDX-License-Identifier: Apache-2.0
"""Run a module that ends with its parent: `python -m rvl_edge_ros.tethered PARENT MODULE [ARGUMENT...]`."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask Linux for a SIGTERM at the parent's death, whatever it dies of, and become the module.

    It is asked for here and not between fork and exec, where a program with threads may run no Python.
    """
    parent, module = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before it could be asked for
        sys.exit(128 + signal.SIGTERM)
    del sys.argv[:2]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
