# SPDX-License-Identifier: Apache-2.0
"""Export recipes: which checkpoints become which bundle, and how close the graphs must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rvl_edge._validation import complaints
from rvl_edge.bundle.manifest import BundleName, Precision
from rvl_edge.errors import ConfigError
from rvl_edge.offline.exporting.parity import Thresholds
from rvl_edge.types import Modality

# Half precision keeps 11 bits of a number, bfloat16 keeps 8; over 24 layers the errors mostly cancel.
_THRESHOLDS: dict[Precision, Thresholds] = {
    "float32": Thresholds(cosine_min=0.99999, max_abs=1e-4, top1_min=1.0),
    "float16": Thresholds(cosine_min=0.9999, max_abs=2e-3, top1_min=0.95),
    "bfloat16": Thresholds(cosine_min=0.999, max_abs=1e-2, top1_min=0.9),
}


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class SenseRecipe(_Entry):
    """One sense: its checkpoint folder, and the label set in force when the bundle is opened.

    `sentinel` is the checkpoint from before hardening, whose disagreement is a sign of an attack.
    """

    checkpoint: Path
    label_set: str
    sentinel: Path | None = None

    def checkpoints(self) -> tuple[Path, ...]:
        """The encoder's, and the sentinel's if there is one."""
        return (self.checkpoint,) if self.sentinel is None else (self.checkpoint, self.sentinel)

    def found_from(self, home: Path) -> SenseRecipe:
        """The same with paths that `home` is put before."""
        sentinel = None if self.sentinel is None else home / self.sentinel
        return self.model_copy(update={"checkpoint": home / self.checkpoint, "sentinel": sentinel})


class ParityRecipe(_Entry):
    """What torch and the exported graph are compared on, and the thresholds between them.

    `files` is a folder of real samples: one folder a sense (`image/`, `audio/`, ...), or the labelled sets
    that `rvl-edge evaluate` reads. A sense without any there is compared on made-up samples, and the report
    says so. A threshold left out is the precision's own.
    """

    samples: Annotated[int, Field(ge=4)] = 32
    files: Path | None = None
    cosine_min: Annotated[float | None, Field(ge=-1, le=1)] = None
    max_abs: Annotated[float | None, Field(gt=0)] = None
    top1_min: Annotated[float | None, Field(ge=0, le=1)] = None

    def thresholds(self, precision: Precision) -> Thresholds:
        """What a graph of this precision must reach."""
        own = _THRESHOLDS[precision]
        return Thresholds(
            cosine_min=own.cosine_min if self.cosine_min is None else self.cosine_min,
            max_abs=own.max_abs if self.max_abs is None else self.max_abs,
            top1_min=own.top1_min if self.top1_min is None else self.top1_min,
        )


class ExportRecipe(_Entry):
    """A bundle to build. Paths are relative to the recipe file.

    `precision` is what the graphs compute in. `weights` float16 halves a float32 bundle where the checkpoint
    is half precision already; it computes in float32 all the same.
    """

    name: BundleName
    version: str
    out: Path
    senses: Annotated[dict[Modality, SenseRecipe], Field(min_length=1)]
    text: Annotated[Path, Field(description="checkpoint folder whose text tower and tokenizer to use")]
    labels: Annotated[Path, Field(description="folder of label sets and templates.yaml")]
    open_vocabulary: Annotated[
        bool, Field(description="the encoders were trained on free text: no label is beyond them")
    ] = False
    model_card: Path
    precision: Precision = "float32"
    weights: Literal["float32", "float16"] = "float32"
    opset: Annotated[int, Field(ge=18, le=25)] = 18
    parity: ParityRecipe = ParityRecipe()

    @model_validator(mode="after")
    def _stored_in_one_way(self) -> ExportRecipe:
        if self.weights != "float32" and self.precision != "float32":
            raise ValueError(f"weights: a {self.precision} graph stores its weights in {self.precision}")
        return self


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
    files = recipe.parity.files
    return recipe.model_copy(
        update={
            "out": home / recipe.out,
            "labels": home / recipe.labels,
            "model_card": home / recipe.model_card,
            "text": home / recipe.text,
            "parity": recipe.parity.model_copy(update={"files": None if files is None else home / files}),
            "senses": {modality: sense.found_from(home) for modality, sense in recipe.senses.items()},
        }
    )
