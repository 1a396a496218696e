# SPDX-License-Identifier: Apache-2.0
"""The processes that train one model together: alone without a launcher, many under torchrun or accelerate.

Batches are counted over all processes: each takes its share of the rows, and gradients are averaged. What is
random is drawn for the whole batch and shared out after, so the number of processes changes rounding only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rvl_edge.errors import ConfigError
from rvl_edge.offline.training.sharding import shard, whole


class Processes:
    """This process among its like.

    Args:
        device: `cpu` keeps to the processor; None takes what there is.
    """

    def __init__(self, device: str | None = None) -> None:
        self._accelerator = Accelerator(cpu=device == "cpu")

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        found: torch.device = self._accelerator.device
        return found

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._accelerator.num_processes)

    @property
    def index(self) -> int:
        """This one's place among them."""
        return int(self._accelerator.process_index)

    @property
    def first(self) -> bool:
        """Whether this one writes the files."""
        return self.index == 0

    def share(self, rows: int) -> slice:
        """The rows of a batch that are this process's.

        Raises:
            ConfigError: the batch cannot be divided evenly.
        """
        if rows % self.count:
            raise ConfigError(
                "the batch cannot be shared out evenly", got=rows, expected=f"a multiple of {self.count}"
            )
        each = rows // self.count
        start = each * self.index
        return slice(start, start + each)

    def synchronised(self, module: nn.Module) -> Callable[..., Any]:
        """The module's forward pass, after whose backward pass the gradients are the processes' mean."""
        module.to(self.device)
        if self.spread:
            shard(module)
            return module
        if self.count == 1:
            return module
        indices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=indices)

    @property
    def spread(self) -> bool:
        """Whether weights are spread over the processes: FSDP, by `accelerate launch --use_fsdp`."""
        return self.count > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() in {"true", "1"}

    def whole(self, state: Any) -> Any:
        """A state in whole tensors; where weights are spread, all processes call this."""
        return whole(state) if self.spread else state

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        found: Tensor = self._accelerator.reduce(values, "mean")
        return found

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the processes."""
        found: Tensor = self._accelerator.reduce(values, "sum")
        return found

    def wait(self) -> None:
        """Until all are here."""
        self._accelerator.wait_for_everyone()
