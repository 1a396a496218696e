# SPDX-License-Identifier: Apache-2.0
"""`calibration.json`: how far the scores of a bundle's senses can be believed, as fitted on real samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.bundle.manifest import Manifest
from rvl_edge.bundle.revisions import REVISIONS
from rvl_edge.errors import BundleError, CalibrationStale
from rvl_edge.types import Modality

CALIBRATION_NAME: Final = "calibration.json"
CALIBRATION_SCHEMA_VERSION: Final = 1
PLAIN: Final = "plain"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Measured(_Entry):
    """What an entry was worth on samples that it was not fitted on."""

    samples: Count
    accuracy: Annotated[Share, Field(description="first label right, of all samples")]
    ece_before: Annotated[Share, Field(description="expected calibration error at temperature 1")]
    ece_after: Share
    answered: Annotated[Share, Field(description="samples whose decision is a label, not `unknown`")]
    accuracy_answered: Annotated[Share | None, Field(description="of those; None where there are none")]
    covered: Annotated[Share, Field(description="samples whose truth is among the plausible labels")]
    set_size: Annotated[float, Field(ge=0, description="mean number of plausible labels")]


class ConfidenceEntry(_Entry):
    """Temperature and thresholds of one label set under one ranking.

    They hold for these labels and templates only, in any order: a threshold on a softmax means nothing for
    another set of classes.
    """

    label_set: Annotated[str, Field(description="its name, for people")]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    templates: Annotated[tuple[str, ...], Field(min_length=1)]
    ranking: Annotated[str, Field(description="`plain`, or COLA with its settings")] = PLAIN
    revision: Annotated[int, Field(ge=1, description="of the ranking's scores, when it was fitted")] = 1
    temperature: Annotated[float, Field(gt=0, description="divides the logits before the softmax")]
    alpha: Annotated[float, Field(gt=0, lt=1, description="stated share that may be missed")]
    unknown_below: Annotated[Share, Field(description="of the first label's probability")]
    plausible_from: Annotated[Share, Field(description="of each label's own probability")]
    samples: Annotated[Count, Field(description="that the thresholds were fitted on")]
    measured: Measured | None = None

    @property
    def method(self) -> str:
        """Whose revision counts: `plain` or `cola`."""
        return self.ranking.partition(" ")[0]

    @property
    def coverage(self) -> float:
        """Promised share, in (0, 1), of answered samples, and of samples whose truth is plausible."""
        return 1 - self.alpha

    def holds_for(self, labels: Sequence[str], templates: Sequence[str], ranking: str) -> bool:
        """Whether it was fitted for these labels, templates and ranking."""
        return (
            ranking == self.ranking
            and sorted(labels) == sorted(self.labels)
            and sorted(templates) == sorted(self.templates)
        )


class MonitorEntry(_Entry):
    """One monitor as fitted on clean samples."""

    name: Annotated[str, Field(min_length=1, description="as findings name it")]
    revision: Annotated[int, Field(ge=1, description="of the statistic, when it was fitted")] = 1
    samples: Count
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1, description="on clean samples, at the threshold")]
    family_rate: Annotated[
        float | None, Field(gt=0, lt=1, description="of the sense's monitors together, at their thresholds")
    ] = None
    usual: Annotated[float | None, Field(description="median score of clean samples")] = None
    threshold: Annotated[float, Field(description="score above which it warns")]
    curve: Annotated[
        tuple[tuple[float, Share], ...],
        Field(description="score -> trust, by rising score, linear between its points"),
    ] = ()
    statistics: Annotated[
        dict[str, tuple[float, ...]], Field(description="what it compares a sample with")
    ] = {}


class SenseCalibration(_Entry):
    """What was fitted for one sense, and on which files of the bundle."""

    fitted_on: Annotated[
        dict[str, str], Field(description="SHA-256, by path or name, of all that scores come from")
    ]
    confidence: tuple[ConfidenceEntry, ...] = ()
    monitors: tuple[MonitorEntry, ...] = ()

    @property
    def revised(self) -> tuple[str, ...]:
        """Rankings and monitors that compute other numbers now than when they were fitted."""
        fitted = {(each.method, each.revision) for each in self.confidence}
        fitted |= {(each.name, each.revision) for each in self.monitors}
        return tuple(sorted({name for name, revision in fitted if revision != REVISIONS.get(name)}))

    def kept(self, fitted_on: dict[str, str]) -> SenseCalibration:
        """What still holds where the files are these: without what is stale."""
        if self.fitted_on != fitted_on:
            return SenseCalibration(fitted_on=fitted_on)
        revised = self.revised
        return self.model_copy(
            update={
                "confidence": tuple(each for each in self.confidence if each.method not in revised),
                "monitors": tuple(each for each in self.monitors if each.name not in revised),
            }
        )

    def confidence_for(
        self, labels: Sequence[str], templates: Sequence[str], ranking: str = PLAIN
    ) -> ConfidenceEntry | None:
        """The entry that was fitted for these, if there is one."""
        found = (each for each in self.confidence if each.holds_for(labels, templates, ranking))
        return next(found, None)


class Calibration(_Entry):
    """The whole file."""

    schema_version: Literal[1] = CALIBRATION_SCHEMA_VERSION
    senses: dict[Modality, SenseCalibration] = {}

    def of(self, manifest: Manifest, modality: Modality) -> SenseCalibration | None:
        """What was fitted for a sense; None where nothing was.

        Raises:
            CalibrationStale: it was fitted on other graphs than the manifest's, or on numbers that this
                release computes otherwise.
        """
        found = self.senses.get(modality)
        if found is None:
            return None
        own = fingerprint(manifest, modality)
        files = sorted(
            path for path in {*own, *found.fitted_on} if own.get(path) != found.fitted_on.get(path)
        )
        if not files and not found.revised:
            return found
        kept = found.kept(own)
        verbs = [name for name in ("confidence", "monitors") if getattr(kept, name) != getattr(found, name)]
        raise CalibrationStale(
            f"the calibration of {modality} is stale",
            got=f"one fitted before {', '.join(files or found.revised)} changed",
            fix=" and ".join(
                f"rvl-edge calibrate {verb} BUNDLE --data DIR" for verb in verbs or ["confidence"]
            ),
        )


def fingerprint(manifest: Manifest, modality: Modality) -> dict[str, str]:
    """SHA-256, by path or name, of what a sense's numbers come from.

    That is its graph, the plain encoder's that watches over it, the text tower's, their weights, the
    tokenizer, and what the manifest says of preprocessing and scale. Prompts and labels are each entry's own.
    """
    sense = manifest.senses[modality]
    entries = [each for each in (sense, sense.sentinel, manifest.text) if each is not None]
    files = [file for each in entries for file in (each.graph, each.weights) if file is not None]
    # Without defaults: a field that a later release adds changes nothing.
    said = sense.model_dump_json(include={"preprocess", "logit_scale"}, exclude_defaults=True)
    return {
        **{file.path: file.sha256 for file in (*files, manifest.text.tokenizer)},
        "preprocessing and logit scale": hashlib.sha256(said.encode()).hexdigest(),
    }


def parse_calibration(content: bytes) -> Calibration:
    """Read the file's content.

    Raises:
        BundleError: names the field that is wrong, or the release that is needed.
    """
    try:
        return Calibration.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise BundleError(
            f"{CALIBRATION_NAME} breaks the schema",
            got=complaints(error),
            expected=f"format {CALIBRATION_SCHEMA_VERSION}",
            fix="calibrate the bundle again with `rvl-edge calibrate`, or upgrade rvl-edge-sdk",
        ) from None
