# SPDX-License-Identifier: Apache-2.0
"""Export recipes: which checkpoints become which bundle, and how close the graphs must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.bundle.manifest import BundleName
from rvl_edge.errors import ConfigError
from rvl_edge.types import Modality


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class SenseRecipe(_Entry):
    """One sense: its checkpoint folder, and the label set in force when the bundle is opened."""

    checkpoint: Path
    label_set: str


class ParityRecipe(_Entry):
    """How many samples to compare, and the thresholds between torch and the exported graph."""

    samples: Annotated[int, Field(ge=4)] = 32
    cosine_min: Annotated[float, Field(ge=-1, le=1)] = 0.99999
    max_abs: Annotated[float, Field(gt=0)] = 1e-4


class ExportRecipe(_Entry):
    """A bundle to build. Paths are relative to the recipe file.

    `weights` float16 halves the bundle where the checkpoint is half precision already; it computes in
    float32 either way.
    """

    name: BundleName
    version: str
    out: Path
    senses: Annotated[dict[Modality, SenseRecipe], Field(min_length=1)]
    text: Annotated[Path, Field(description="the text tower's checkpoint folder, with its tokenizer.json")]
    labels: Annotated[Path, Field(description="folder of label sets and templates.yaml")]
    model_card: Path
    weights: Literal["float32", "float16"] = "float32"
    opset: Annotated[int, Field(ge=18, le=25)] = 18
    parity: ParityRecipe = ParityRecipe()


def read_recipe(path: Path) -> ExportRecipe:
    """Read a recipe; its paths come back absolute.

    Raises:
        ConfigError: no such file, no YAML, or fields that are unknown, missing or out of range.
    """
    try:
        recipe = ExportRecipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(
            "the recipe cannot be read", got=error, fix="give the path of a recipe, as in export/"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no YAML", got=error) from None
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no export recipe", got=complaints(error), fix="compare it with export/tiny.yaml"
        ) from None
    home = path.resolve().parent
    return recipe.model_copy(
        update={
            "out": home / recipe.out,
            "labels": home / recipe.labels,
            "model_card": home / recipe.model_card,
            "text": home / recipe.text,
            "senses": {
                modality: sense.model_copy(update={"checkpoint": home / sense.checkpoint})
                for modality, sense in recipe.senses.items()
            },
        }
    )
