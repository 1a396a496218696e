# SPDX-License-Identifier: Apache-2.0
"""`samples.json`: which samples were collected, from where, and the hash of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.bundle.files import check_file
from rvl_edge.bundle.manifest import FileRef
from rvl_edge.errors import BundleError, ConfigError
from rvl_edge.types import Modality

SAMPLES_NAME = "samples.json"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleEntry(_Entry):
    """One sample.

    Attributes:
        file: its path beside the manifest, hash and size.
        source: the recording or folder it is from.
        place: where in it: the file's path, or nanoseconds of the recording.
        label: its class, where known.
    """

    file: FileRef
    source: str
    place: str
    label: str | None = None


class SampleManifest(_Entry):
    """The whole file.

    Attributes:
        schema_version: of this file.
        modality: the sense.
        topic: of recordings.
        seed: of the choice.
        offered: how many samples there were to choose from.
        passed_over: how many of those that were chosen cannot be used; of recordings only.
        samples: the others that were chosen.
    """

    schema_version: Literal[1] = 1
    modality: Modality
    topic: str | None = None
    seed: int
    offered: Annotated[int, Field(ge=1)]
    passed_over: Annotated[int, Field(ge=0)] = 0
    samples: Annotated[tuple[SampleEntry, ...], Field(min_length=1)]


def read_samples(folder: Path) -> tuple[SampleManifest, tuple[Path, ...]]:
    """Read a manifest and check that every sample is as it was collected.

    Args:
        folder: what `rvl-edge calibrate collect` wrote.

    Returns:
        The manifest, and the file of each of its samples.

    Raises:
        ConfigError: no such manifest, or a sample that is missing or was changed.
    """
    path = folder / SAMPLES_NAME
    try:
        manifest = SampleManifest.model_validate_json(path.read_bytes())
        for each in manifest.samples:
            check_file(folder, each.file, content=True)
    except OSError as error:
        raise ConfigError(
            "no collected samples there", got=error, fix="give a folder of `rvl-edge calibrate collect`"
        ) from None
    except ValidationError as error:
        raise ConfigError(f"{path} is no manifest of samples", got=complaints(error)) from None
    except BundleError as error:
        raise ConfigError(
            f"the samples in {folder} are not those that were collected",
            got=error.what,
            fix="collect them again; figures of other samples say nothing of these",
        ) from error
    return manifest, tuple(folder / each.file.path for each in manifest.samples)
