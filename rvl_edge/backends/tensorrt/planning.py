# SPDX-License-Identifier: Apache-2.0
"""Which optimisation profile serves a batch, and how one that is too large is divided."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.errors import BadShape


def choose_profile(profiles: Sequence[BatchRange], batch: int) -> int:
    """The profile that takes a batch of this size and was tuned nearest to it.

    Raises:
        BadShape: none takes it.
    """
    fitting = [at for at, each in enumerate(profiles) if each.smallest <= batch <= each.largest]
    if not fitting:
        ranges = ", ".join(f"{each.smallest} to {each.largest}" for each in profiles)
        raise BadShape(
            "the engine was built for other batch sizes",
            got=batch,
            expected=ranges,
            fix="build it with a profile that takes this batch",
        )
    return min(fitting, key=lambda at: (abs(profiles[at].best - batch), profiles[at].largest))


def pieces(batch: int, profiles: Sequence[BatchRange]) -> list[slice]:
    """A batch in as few pieces as the largest profile allows, none larger by more than one than another."""
    most = max(each.largest for each in profiles)
    count = -(-batch // most)
    edges = [batch * at // count for at in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]
