# SPDX-License-Identifier: Apache-2.0
"""Label sets of `calibration/labels`: class names, their synonyms, and the prompts of each sense."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rvl_edge.errors import ConfigError
from rvl_edge.types import Modality

TEMPLATES_NAME = "templates.yaml"

# Neither a bundle nor the wheel has it: only who trains, exports or evaluates checkpoints needs it.
_WHERE = "it is the folder calibration/labels of a clone; name it by --labels, or in the recipe"

_Kind = TypeVar("_Kind")

Phrase = Annotated[str, Field(min_length=1, max_length=100)]
Template = Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$")]


class LabelSetFile(BaseModel):
    """One file: labels that can be ranked together, each with other names for the same thing.

    `modalities` are the senses trained on it (of encoders trained on free text: those it is offered to),
    `simulated` says that their samples were simulated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Phrase
    modalities: tuple[Modality, ...]
    simulated: bool = False
    concepts: Annotated[dict[Phrase, tuple[Phrase, ...]], Field(min_length=1)]

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names."""
        return tuple(self.concepts)


def read_label_sets(folder: Path) -> dict[str, LabelSetFile]:
    """Read every label set of a folder, by name.

    Raises:
        ConfigError: no label set there, or one that cannot be used.
    """
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != TEMPLATES_NAME)
    if not paths:
        raise ConfigError("no label sets there", got=folder, fix=_WHERE)
    found = [_read(path, TypeAdapter(LabelSetFile)) for path in paths]
    return {each.name: each for each in found}


def read_templates(folder: Path) -> dict[Modality, tuple[str, ...]]:
    """Read the prompts of each sense.

    Raises:
        ConfigError: no `templates.yaml` there, or one that cannot be used.
    """
    kind = TypeAdapter(dict[Modality, Annotated[tuple[Template, ...], Field(min_length=1)]])
    path = folder / TEMPLATES_NAME
    if not path.is_file():
        raise ConfigError("no label sets with their templates there", got=path, fix=_WHERE)
    return _read(path, kind)


def _read(path: Path, kind: TypeAdapter[_Kind]) -> _Kind:
    try:
        return kind.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"the file {path} cannot be used", got=error) from None
