# SPDX-License-Identifier: Apache-2.0
"""What `rvl-edge harden` reads: which encoder to harden, by which methods, against which attacker."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from rvl_edge._validation import complaints
from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.objectives import OBJECTIVES
from rvl_edge.offline.hardening.objectives.interface import Objective
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.types import Modality


def _fraction(value: Any) -> Any:
    """Read `4/255` as the field writes it, and 2.5/255."""
    if not isinstance(value, str) or "/" not in value:
        return value
    top, bottom = value.split("/")
    return float(top) / float(bottom)


def _objective(value: Any) -> Any:
    if not isinstance(value, dict) or value.get("name") not in OBJECTIVES:
        raise ValueError(f"name a method: {', '.join(OBJECTIVES)}")
    kind = OBJECTIVES[value["name"]]
    settings = {key: each for key, each in value.items() if key != "name"}
    unknown = settings.keys() - {each.name for each in fields(kind)}
    if unknown:
        raise ValueError(f"{value['name']} has no setting {', '.join(sorted(unknown))}")
    return TypeAdapter(kind).validate_python(settings)


Amount = Annotated[float, Field(gt=0, le=1), BeforeValidator(_fraction)]
Positive = Annotated[int, Field(ge=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class AttackRecipe(_Entry):
    """PGD while training. `eps` and `step_size` are parts of the domain's full scale, as `4/255`."""

    norm: Norm = Norm.LINF
    eps: Amount
    steps: Positive = 10
    step_size: Amount
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9

    def build(self) -> Pgd:
        """The attack."""
        return Pgd(Threat(self.norm, self.eps), self.steps, self.step_size, self.momentum)


class StageRecipe(_Entry):
    """One method for some passes.

    Attributes:
        objective: a method's name and settings.
        attack: what it is trained against.
        epochs: passes over the training part.
        precision: of the encoder in training and in the attack.
        average_decay: of the exponential moving average that becomes the result.
    """

    objective: Annotated[Objective, PlainValidator(_objective)]
    attack: AttackRecipe
    epochs: Positive
    batch_size: Positive = 128
    optimiser: Literal["muon", "adamw"] = "muon"
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.07
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.995
    precision: Literal["float32", "bfloat16"] = "bfloat16"


class HardenRecipe(_Entry):
    """Hardening of one sense's encoder, stage after stage. Paths are relative to the recipe's file.

    Attributes:
        seed: the one number that all randomness comes from.
        modality: the sense.
        checkpoint: the encoder to start from; it stays the reference of all stages.
        text: the frozen text tower's checkpoint, with its tokenizer.json.
        labels: folder of label sets and templates.
        label_set: whose labels become the anchors.
        include_validation: train on the validation part as well, once the numbers here are settled.
        stages: each starts where the one before ended.
    """

    seed: int
    modality: Modality
    checkpoint: Path
    text: Path
    labels: Path
    label_set: str
    include_validation: bool = False
    stages: Annotated[tuple[StageRecipe, ...], Field(min_length=1)]


def read_recipe(path: Path) -> HardenRecipe:
    """Read a recipe; its paths come back absolute.

    Raises:
        ConfigError: no such file, no YAML, or fields that are unknown, missing or out of range.
    """
    try:
        recipe = HardenRecipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(
            "the recipe cannot be read", got=error, fix="give a recipe such as export/harden-tiny"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no YAML", got=error) from None
    except ValidationError as error:
        raise ConfigError(f"{path} is no hardening recipe", got=complaints(error)) from None
    home = path.resolve().parent
    paths = {name: home / getattr(recipe, name) for name in ("checkpoint", "text", "labels")}
    return recipe.model_copy(update=paths)
