# SPDX-License-Identifier: Apache-2.0
"""The gates of a recipe: on which frames, under which attack, and how much may be lost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rvl_edge.offline.exporting.parity import Thresholds

Attack = Literal["fgsm", "pgd", "cw", "apgd-ce", "apgd-ce+t", "transfer"]
Share = Annotated[float, Field(ge=0, le=1)]


class Crafting(BaseModel):
    """Which frames, and how they are attacked.

    Attributes:
        frames: labelled frames to ask about; all of the part where it has fewer.
        part: of the labelled set. Settings are chosen elsewhere, so `validation` is unseen and `test` is left
            for reports.
        attack: on the torch model that the reference was exported from. Those that go on to the end of the
            radius carry over to the candidate; APGD stops where the torch model's answer changes.
        eps: radius in 255ths of the full scale, L-inf.
        steps: gradient steps.
        seed: of the attack's random start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frames: Annotated[int, Field(ge=4)] = 500
    part: Literal["validation", "test"] = "validation"
    attack: Attack = "pgd"
    eps: Annotated[float, Field(gt=0, le=255)] = 0.5
    steps: Annotated[int, Field(ge=1)] = 20
    seed: int = 0


class GateRecipe(Crafting):
    """Thresholds of one sense.

    A drop is accuracy of the reference minus that of the candidate on the same frames. What must stay below
    `clean_drop` and `robust_drop` is the upper end of its 95 % interval: too few frames to tell fail.

    Attributes:
        cosine_min: the smallest cosine between candidate's and reference's embedding of any frame.
        max_abs: the largest difference of any component of them.
        top1_min: the smallest share of frames that both give the same label.
        clean_drop: as frames are.
        robust_drop: of attacked frames.
    """

    cosine_min: Annotated[float, Field(ge=-1, le=1)] = 0.98
    max_abs: Annotated[float, Field(gt=0)] = 0.1
    top1_min: Share = 0.95
    clean_drop: Share = 0.02
    robust_drop: Share = 0.02

    @property
    def crafting(self) -> Crafting:
        """The frames alone."""
        return Crafting(**{name: getattr(self, name) for name in Crafting.model_fields})

    @property
    def parity(self) -> Thresholds:
        """The same for `compare`."""
        return Thresholds(self.cosine_min, self.max_abs, self.top1_min)
