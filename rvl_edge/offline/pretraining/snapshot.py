# SPDX-License-Identifier: Apache-2.0
"""The state of an unfinished stage in one file, written whole or not at all and read without running code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import torch
from torch import nn

from rvl_edge._files import write_atomic
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.pretraining.optimisation import Average, Optimiser


def save_snapshot(path: Path, step: int, module: nn.Module, average: Average, optimiser: Optimiser) -> None:
    """Write the state after `step` steps."""
    state = {
        "step": step,
        "module": module.state_dict(),
        "average": average.weights,
        "optimiser": optimiser.state_dict(),
    }
    content = io.BytesIO()
    torch.save(state, content)
    write_atomic(path, content.getvalue())


def load_snapshot(path: Path, module: nn.Module, average: Average, optimiser: Optimiser) -> int:
    """Read a state into its parts and return its step; 0, and nothing read, where there is none.

    Raises:
        CheckpointError: a file that is no snapshot of this stage.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        module.load_state_dict(state["module"])
        average.load(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
    except (KeyError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is no snapshot of this stage",
            got=error,
            fix="give another run folder, or delete this one",
        ) from None
