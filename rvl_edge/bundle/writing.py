# SPDX-License-Identifier: Apache-2.0
"""Writing a bundle: whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rvl_edge._files import folder_atomic
from rvl_edge.bundle.files import hash_file
from rvl_edge.bundle.manifest import MANIFEST_NAME, FileRef, GraphEntry, Manifest
from rvl_edge.bundle.opening import Bundle, GraphFiles, load_graph
from rvl_edge.bundle.signing import SIGNATURE_NAME
from rvl_edge.errors import BundleError


class BundleWriter:
    """Adds files to a bundle that is not yet in its place; made by `new_bundle`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        """Where to write a file that is too large to be held; `adopt` it after."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def adopt(self, name: str) -> FileRef:
        """The manifest's entry for a file that was written at `path(name)`."""
        with self.path(name).open("rb") as file:
            return FileRef(path=name, sha256=hash_file(file), size=file.tell())

    def add(self, name: str, content: bytes | memoryview) -> FileRef:
        """Write one file below the bundle's folder; returns the manifest's entry for it."""
        self.path(name).write_bytes(content)
        return FileRef(path=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def link(self, name: str, source: Path) -> None:
        """Take a file over from elsewhere without reading it, if the file system has links."""
        target = self.path(name)
        try:
            target.hardlink_to(source.resolve())
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)

    def load(self, entry: GraphEntry) -> GraphFiles:
        """As `Bundle.load`."""
        return load_graph(self._root, entry)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, then open the result as a robot would.

        Raises:
            BundleError: what was written is no sound bundle.
        """
        (self._root / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=2) + "\n")
        Bundle.open(self._root)


@contextmanager
def new_bundle(path: Path) -> Iterator[BundleWriter]:
    """Write a bundle that appears at `path` when the block ends; on any error the old one stays.

    Raises:
        BundleError: `path` holds something that is no bundle, which is not overwritten; or the block ended
            without a call of `finish`; or the disk is full or not writable.
    """
    if (
        path.exists()
        and not (path / MANIFEST_NAME).is_file()
        and not (path.is_dir() and not any(path.iterdir()))
    ):
        raise BundleError(
            "will not replace what is no bundle",
            got=path,
            fix="name a new folder, or remove this one yourself",
        )
    try:
        with folder_atomic(path) as root:
            yield BundleWriter(root)
            if not (root / MANIFEST_NAME).is_file():
                raise BundleError(
                    "the bundle was left without a manifest", got=path, fix="call finish(manifest)"
                )
    except OSError as error:
        raise BundleError(
            "the bundle cannot be written",
            got=error,
            fix=f"make room, or give a folder to write in; {path} is as it was",
        ) from error


def add_reports(path: Path, reports: Mapping[str, bytes]) -> None:
    """Put files into `reports/` of a bundle and name them in its manifest, in one step; see `amend_bundle`.

    Args:
        path: the bundle's folder.
        reports: content by name; one of the same name is replaced.

    Raises:
        BundleError: `path` is no sound bundle, or cannot be written.
    """
    bundle = Bundle.open(path)
    old = bundle.manifest.reports
    moved = {old[name].path for name in reports if name in old} - {f"reports/{name}" for name in reports}

    def name_reports(files: Mapping[str, FileRef]) -> Manifest:
        added = {name: files[f"reports/{name}"] for name in reports}
        return bundle.manifest.model_copy(update={"reports": {**old, **added}})

    contents: dict[str, bytes | memoryview] = {f"reports/{name}": each for name, each in reports.items()}
    amend_bundle(bundle, contents, name_reports, dropped=moved)


def amend_bundle(
    bundle: Bundle,
    contents: Mapping[str, bytes | memoryview],
    name: Callable[[Mapping[str, FileRef]], Manifest],
    *,
    dropped: Collection[str] = (),
) -> None:
    """Add or replace files of a bundle, and its manifest, in one step.

    The bundle is written anew beside itself, its other files by hard links where the file system has them,
    and then takes its own place: a reader sees the old bundle or the new one. It has to be signed again.

    Args:
        bundle: as it is.
        contents: of the files to add, by path below its folder.
        name: the manifest's entries of those files, by path -> the new manifest.
        dropped: files to leave out.

    Raises:
        BundleError: the result is no sound bundle, or cannot be written; the old one stays.
    """
    # What is rewritten must not share the old one's bytes; a signature is of the old manifest.
    rewritten = {MANIFEST_NAME, SIGNATURE_NAME, *contents, *dropped}
    with new_bundle(bundle.root) as writer:
        for source in sorted(bundle.root.rglob("*")):
            path = source.relative_to(bundle.root).as_posix()
            if source.is_file() and path not in rewritten:
                writer.link(path, source)
        writer.finish(name({path: writer.add(path, content) for path, content in contents.items()}))
