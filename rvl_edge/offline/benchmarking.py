# SPDX-License-Identifier: Apache-2.0
"""torch as a contender: the checkpoint that a graph was exported from, in float32 and bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.benchmarking import Contender, Runner, gemm
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import inspect_checkpoint, open_checkpoint
from rvl_edge.types import FloatArray, Modality


class TorchRunner:
    """An eager torch module on the CPU; a `Runner`.

    Args:
        module: (B, ...) -> (B, D) of unit norm.
        dtype: of its weights and activations.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        self._module = module.eval().to(dtype)
        self._dtype = dtype

    @property
    def description(self) -> str:
        """See `Runner`."""
        return f"torch {torch.__version__}, {str(self._dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Runner`."""
        embedding: Tensor = self._module(torch.from_numpy(batch).to(self._dtype))
        return embedding.float().numpy()

    def close(self) -> None:
        """See `Runner`."""
        self._module = nn.Identity()


class _Gemm(nn.Module):
    """What `gemm_graph` computes."""

    def __init__(self) -> None:
        super().__init__()
        self.square = nn.Linear(gemm.WIDTH, gemm.WIDTH, bias=False)
        self.down = nn.Linear(gemm.WIDTH, gemm.DIM, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        return functional.normalize(self.down(self.square(self.square(rows))), dim=-1)


def torch_contenders(folder: Path, threads: int | None) -> tuple[Modality, list[Contender]]:
    """A checkpoint in float32 and in bfloat16, and the sense that it encodes.

    Args:
        folder: the checkpoint.
        threads: as many for all of torch in this process; None leaves its choice.

    Raises:
        CheckpointError: no encoder of a sense, or a damaged one.
    """
    card = inspect_checkpoint(folder).encoder
    if card is None:
        raise CheckpointError(f"{folder} is no encoder of a sense", got="a text tower")
    if threads is not None:
        torch.set_num_threads(threads)
    return card.modality, [_contender(folder, name, dtype) for name, dtype in _DTYPES.items()]


_DTYPES = {"torch": torch.float32, "torch-bf16": torch.bfloat16}


def _contender(folder: Path, name: str, dtype: torch.dtype) -> Contender:
    def load() -> Runner:
        return TorchRunner(open_checkpoint(folder), dtype)

    def load_gemm() -> Runner:
        return TorchRunner(_Gemm(), dtype)

    return Contender(name, load, load_gemm)
