# SPDX-License-Identifier: Apache-2.0
"""Opening a bundle: the manifest, then every file it names, before anything is parsed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from rvl_edge._validation import complaints
from rvl_edge.bundle.calibration import Calibration, parse_calibration
from rvl_edge.bundle.external_data import check_external_data
from rvl_edge.bundle.files import check_file, read_verified
from rvl_edge.bundle.manifest import MANIFEST_NAME, SCHEMA_VERSION, FileRef, GraphEntry, Manifest
from rvl_edge.bundle.signing import check_signature
from rvl_edge.errors import BundleError, BundleNotFound, ManifestInvalid

DEFAULT_BUNDLE = Path(__file__).parent / "default"
_MAX_MANIFEST = 16 << 20  # bytes; a hundred times what 10,000 labels need
_HASHED_ON_OPENING = 64 << 20  # bytes; hashing this much takes less time than anyone notices


@dataclass(frozen=True)
class GraphFiles:
    """The verified bytes of a graph, and of its external data if it has any."""

    graph: bytes
    weights: bytes | None


@dataclass(frozen=True)
class Bundle:
    """A folder whose manifest and files were checked.

    Attributes:
        root: the folder.
        manifest: what it says of itself.
    """

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path | None = None, *, trusted: Sequence[str | Path] | None = None) -> Bundle:
        """Check a bundle: schema, paths and sizes, SHA-256, and that no graph reads a file but its own.

        Files of more than 64 MiB are hashed once, by `read` or `load`, before anything parses them: a robot
        does not wait for the encoders that it never loads. `rvl-edge verify` hashes all.

        Args:
            path: the folder, or its manifest.json; None is the bundle embedded in the package.
            trusted: files of public keys, one of which must have signed the bundle; None takes unsigned
                bundles too.

        Raises:
            BundleNotFound: there is no manifest.
            SignatureError: none of the trusted keys signed it as it is.
            ManifestInvalid: the manifest breaks the schema, or is of a format this release cannot read.
            HashMismatch: a file is missing or altered.
            UnsafePath: a path, link or graph leads out of the folder.
        """
        root = locate(path)
        bundle = cls(root, read_manifest(root, trusted=trusted))
        try:
            bundle._check_files()
        except BundleError:
            # Whoever adds an engine or a calibration replaces the folder, maybe after its manifest was read.
            again = cls(root, read_manifest(root, trusted=trusted))
            if again.manifest == bundle.manifest:
                raise
            again._check_files()
            return again
        return bundle

    def _check_files(self) -> None:
        for reference in self.manifest.files():
            if reference.size > _HASHED_ON_OPENING:
                check_file(self.root, reference, content=False)
            else:
                self.check(reference)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What was fitted on the bundle, of senses that may be stale (see `Calibration.of`), if anything was.

        Raises:
            HashMismatch: the file is altered.
            BundleError: it breaks the schema.
        """
        reference = self.manifest.calibration
        return None if reference is None else parse_calibration(self.read(reference))

    def uncalibrated(self) -> Bundle:
        """The same bundle as it was before anything was fitted on it."""
        return replace(self, manifest=self.manifest.model_copy(update={"calibration": None}))

    def read(self, reference: FileRef) -> bytes:
        """The verified bytes of one file; see `rvl_edge.bundle.files.read_verified`."""
        return read_verified(self.root, reference)

    def load(self, entry: GraphEntry) -> GraphFiles:
        """The verified bytes of one graph, which refers to no file but its own; raises as `open`."""
        return load_graph(self.root, entry)

    def check(self, reference: FileRef) -> None:
        """Raise if one file is not what the manifest says, or is a graph that reads others than its own."""
        for entry in self.manifest.graphs():
            if reference == entry.graph:
                check_external_data(self.read(reference), reference.path, entry.weights)
                return
        check_file(self.root, reference, content=True)


def load_graph(root: Path, entry: GraphEntry) -> GraphFiles:
    """As `Bundle.load`, for a bundle whose manifest is not written yet."""
    graph = read_verified(root, entry.graph)
    check_external_data(graph, entry.graph.path, entry.weights)
    return GraphFiles(graph, None if entry.weights is None else read_verified(root, entry.weights))


def locate(path: str | Path | None) -> Path:
    """The folder meant by what a user gave.

    Raises:
        BundleNotFound: no manifest.json there, or none that may be seen.
    """
    try:
        root = DEFAULT_BUNDLE if path is None else Path(path).expanduser()
        if root.name == MANIFEST_NAME:
            root = root.parent
        found = (root / MANIFEST_NAME).is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of nobody
        got = path if isinstance(error, RuntimeError) else error
        raise BundleNotFound("the path leads nowhere", got=got, fix="correct it") from None
    if not found:
        raise BundleNotFound(
            "no bundle here" if root.is_dir() else "no such folder",
            got=root,
            expected=f"a folder with a {MANIFEST_NAME}",
            fix="give the bundle's folder, or leave the path out to use the embedded one",
        )
    return root


def read_manifest(root: Path, *, trusted: Sequence[str | Path] | None = None) -> Manifest:
    """Parse `manifest.json`; the files it names are not looked at.

    Args:
        root: the bundle's folder.
        trusted: as `Bundle.open`; the signature is checked before anything is parsed.

    Raises:
        SignatureError: as `Bundle.open`.
        ManifestInvalid: names the field that is wrong.
    """
    path = root / MANIFEST_NAME
    if path.stat().st_size > _MAX_MANIFEST:
        raise ManifestInvalid(
            "the manifest is too large", got=f"{path.stat().st_size} bytes", expected=_MAX_MANIFEST
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read", got=error, fix="check its permissions") from None
    if trusted is not None:
        check_signature(root, content, [Path(key) for key in trusted])
    try:
        text = content.decode()
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"{path} is no JSON", got=error, fix="get the bundle again") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ManifestInvalid(
            "the bundle was written for a newer release",
            got=f"format {version}",
            expected=f"format {SCHEMA_VERSION}",
            fix="upgrade rvl-edge-sdk: git pull in your clone, then pip install .",
        )
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ManifestInvalid(
            f"{path} breaks the schema",
            got=complaints(error),
            fix="correct the named field, or export the bundle again",
        ) from None
