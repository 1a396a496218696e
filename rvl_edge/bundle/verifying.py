# SPDX-License-Identifier: Apache-2.0
"""Every check of a bundle with its verdict, where `Bundle.open` stops at the first fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rvl_edge.bundle.manifest import MANIFEST_NAME, Manifest
from rvl_edge.bundle.opening import Bundle, locate, read_manifest
from rvl_edge.bundle.signing import SIGNATURE_NAME
from rvl_edge.errors import BundleError, HashMismatch


class Verdict(str, Enum):
    """Outcome of one check. A warning does not keep the bundle from being opened."""

    PASS = "pass"
    WARNING = "warning"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Check:
    """One check: what was looked at, how it ended, and why if it did not pass."""

    subject: str
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True)
class VerifyReport:
    """All checks of one bundle.

    Attributes:
        root: the folder.
        checks: in the order they were made.
    """

    root: Path
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True where `Bundle.open` accepts the folder, and a `Perceiver` its calibration."""
        return all(check.verdict is not Verdict.FAIL for check in self.checks)


def verify(path: str | Path | None = None, *, trusted: Sequence[str | Path] | None = None) -> VerifyReport:
    """Check a bundle as `Bundle.open` does, but to the end, and look for files the manifest does not name.

    Args:
        path: the folder, or its manifest.json; None is the embedded bundle.
        trusted: as `Bundle.open`.

    Raises:
        BundleNotFound: there is no manifest.
    """
    root = locate(path)
    try:
        manifest = read_manifest(root, trusted=trusted)
    except BundleError as error:
        return VerifyReport(root, (Check(MANIFEST_NAME, Verdict.FAIL, str(error)),))
    bundle = Bundle(root, manifest)
    checks = [Check(MANIFEST_NAME, Verdict.PASS, f"{manifest.name} {manifest.version}")]
    for reference in manifest.files():
        try:
            bundle.check(reference)
        except BundleError as error:
            checks.append(Check(reference.path, Verdict.FAIL, str(error)))
        else:
            checks.append(Check(reference.path, Verdict.PASS, f"{reference.size} bytes, SHA-256 agrees"))
    if manifest.calibration is not None:
        checks += _calibration(bundle)
    checks += [
        Check(name, Verdict.WARNING, "not named by the manifest; never read")
        for name in _undeclared(root, manifest)
    ]
    return VerifyReport(root, tuple(checks))


def _calibration(bundle: Bundle) -> Iterator[Check]:
    """Whether each sense's calibration is of the bundle's graphs; the hash was looked at before."""
    try:
        file = bundle.calibration
    except HashMismatch:
        return
    except BundleError as error:
        yield Check("calibration", Verdict.FAIL, str(error))
        return
    for modality in bundle.manifest.senses:
        subject = f"calibration of {modality}"
        try:
            found = None if file is None else file.of(bundle.manifest, modality)
        except BundleError as error:
            yield Check(subject, Verdict.FAIL, str(error))
        else:
            if found is not None:
                yield Check(subject, Verdict.PASS, "fitted on these graphs")


def _undeclared(root: Path, manifest: Manifest) -> list[str]:
    declared = {MANIFEST_NAME, SIGNATURE_NAME, *(reference.path for reference in manifest.files())}
    present = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    return sorted(present - declared)
