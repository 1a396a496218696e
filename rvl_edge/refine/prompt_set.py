# SPDX-License-Identifier: Apache-2.0
"""Descriptions of classes, for COLA to align with in place of a bundle's templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from rvl_edge.errors import ConfigError

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
_File = TypeAdapter(
    Annotated[dict[_Text, Annotated[tuple[_Text, ...], Field(min_length=1)]], Field(min_length=1)]
)


@dataclass(frozen=True)
class PromptSet:
    """M descriptions for each of some labels.

    Attributes:
        descriptions: case-folded label -> its M descriptions; read-only.

    Raises:
        ConfigError: no labels, or unequal numbers of descriptions.
    """

    descriptions: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        counts = {len(each) for each in self.descriptions.values()}
        if len(counts) != 1 or 0 in counts:
            expected = "one number, above 0, for every label"
            raise ConfigError(
                "a prompt set is uneven", got=f"{sorted(counts)} descriptions", expected=expected
            )
        folded = {label.casefold(): each for label, each in self.descriptions.items()}
        object.__setattr__(self, "descriptions", MappingProxyType(folded))

    @classmethod
    def read(cls, path: str | Path) -> PromptSet:
        """Read a YAML file that maps each label to the list of its descriptions.

        Raises:
            ConfigError: the file cannot be read, is no such mapping, or gives some labels more than others.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return cls(_File.validate_python(content))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            expected = "YAML that maps each label to a list of descriptions"
            raise ConfigError(f"the prompt set {path} cannot be used", got=error, expected=expected) from None

    def select(self, labels: Sequence[str]) -> tuple[tuple[str, ...], ...] | None:
        """Descriptions of these labels, in their order; None where even one of them has none."""
        found = [self.descriptions.get(label.casefold(), ()) for label in labels]
        return tuple(found) if all(found) else None
