# SPDX-License-Identifier: Apache-2.0
"""What `Bundle.open` accepts and refuses, against damage made byte by byte."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from rvl_edge.bundle import Bundle, Verdict, opening, verify
from rvl_edge.errors import BundleError, BundleNotFound, HashMismatch, ManifestInvalid, UnsafePath


def edit(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def failed(bundle: Path) -> list[str]:
    return [check.subject for check in verify(bundle).checks if check.verdict is Verdict.FAIL]


def test_accepts_what_the_writer_wrote(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    report = verify(tiny_bundle)
    assert report.ok
    assert {check.verdict for check in report.checks} == {Verdict.PASS}
    assert len(report.checks) == 1 + len(bundle.manifest.files())
    card = bundle.read(bundle.manifest.model_card)
    assert hashlib.sha256(card).hexdigest() == bundle.manifest.model_card.sha256


def test_takes_the_manifest_for_its_folder(tiny_bundle: Path) -> None:
    assert Bundle.open(tiny_bundle / "manifest.json").root == tiny_bundle


def test_every_bit_counts(own_bundle: Path) -> None:
    for reference in Bundle.open(own_bundle).manifest.files():
        path = own_bundle / reference.path
        sound = path.read_bytes()
        for at in (0, len(sound) // 2, len(sound) - 1):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
            with pytest.raises(HashMismatch, match=reference.path):
                Bundle.open(own_bundle)
            assert failed(own_bundle) == [reference.path]
        path.write_bytes(sound)
    assert verify(own_bundle).ok


@pytest.mark.parametrize("keep", [0, 1, -1])
def test_truncated_file(own_bundle: Path, keep: int) -> None:
    path = own_bundle / "graphs/image.onnx"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HashMismatch, match="size"):
        Bundle.open(own_bundle)


def test_missing_file_and_missing_manifest(own_bundle: Path, tmp_path: Path) -> None:
    (own_bundle / "text/tokenizer.json").unlink()
    with pytest.raises(HashMismatch, match=r"text/tokenizer\.json is missing"):
        Bundle.open(own_bundle)
    (own_bundle / "manifest.json").unlink()
    for nothing in (own_bundle, tmp_path / "nowhere", "~nobody-of-this-name/bundle", "x" * 5000):
        with pytest.raises(BundleNotFound) as caught:
            Bundle.open(nothing)
        assert str(nothing) in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "../own/graphs/image.onnx",
        "graphs/../../x",
        "graphs//image.onnx",
        "./graphs/image.onnx",
        "graphs\\image.onnx",
        "C:graphs/image.onnx",
        "graphs/image.onnx\x00",
        "graphs/\nimage.onnx",
    ],
)
def test_path_that_is_no_plain_path(own_bundle: Path, path: str) -> None:
    edit(own_bundle, lambda manifest: manifest["senses"]["image"]["graph"].update(path=path))
    with pytest.raises(UnsafePath):
        Bundle.open(own_bundle)


def test_link_that_leaves_the_folder_is_refused_though_its_bytes_agree(
    own_bundle: Path, tmp_path: Path
) -> None:
    graph = own_bundle / "graphs/image.onnx"
    outside = tmp_path / "image.onnx"
    graph.rename(outside)
    graph.symlink_to(outside)
    with pytest.raises(UnsafePath, match="leaves"):
        Bundle.open(own_bundle)
    graph.unlink()
    folder = own_bundle / "graphs"
    folder.rename(tmp_path / "graphs")
    outside.rename(tmp_path / "graphs/image.onnx")
    folder.symlink_to(tmp_path / "graphs")
    with pytest.raises(UnsafePath, match="leaves"):
        Bundle.open(own_bundle)


def test_link_to_itself_and_pipe_do_not_hang(own_bundle: Path) -> None:
    graph = own_bundle / "graphs/image.onnx"
    graph.unlink()
    graph.symlink_to(graph)
    with pytest.raises(UnsafePath):
        Bundle.open(own_bundle)
    graph.unlink()
    os.mkfifo(graph)
    with pytest.raises(UnsafePath, match="regular"):
        Bundle.open(own_bundle)


def test_folder_where_a_graph_should_be(own_bundle: Path) -> None:
    graph = own_bundle / "graphs/image.onnx"
    graph.unlink()
    graph.mkdir()
    with pytest.raises(BundleError, match=r"graphs/image\.onnx cannot be read"):
        Bundle.open(own_bundle)
    assert failed(own_bundle) == ["graphs/image.onnx"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(own_bundle: Path) -> None:
    (own_bundle / "graphs/image.onnx").chmod(0)
    with pytest.raises(BundleError, match="Permission"):
        Bundle.open(own_bundle)
    (own_bundle / "manifest.json").chmod(0)
    with pytest.raises(BundleError, match="permissions"):
        Bundle.open(own_bundle)


def test_hard_linked_install_is_accepted(own_bundle: Path, tmp_path: Path) -> None:
    os.link(own_bundle / "graphs/image.onnx", tmp_path / "elsewhere.onnx")
    assert verify(own_bundle).ok


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda m: m.pop("text"), "text"),
        (lambda m: m.update(embedding_dim="32"), "embedding_dim"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["senses"]["audio"]["graph"].update(sha256="00"), "senses.audio.graph.sha256"),
        (lambda m: m["senses"]["image"].update(logit_scale=0), "logit_scale"),
        (lambda m: m["senses"]["image"].update(templates=[]), "templates"),
        (lambda m: m["senses"]["image"].update(label_set="none"), "label_set"),
        (
            lambda m: m["senses"]["image"].update(preprocess=m["senses"]["audio"]["preprocess"]),
            "kind 'audio'",
        ),
        (lambda m: m["label_sets"]["sounds"].update(modalities=["image"]), r"label_sets\.sounds"),
        (lambda m: m["senses"]["image"].update(graph=m["senses"]["thermal"]["graph"]), "same file"),
        (lambda m: m["senses"].update(smell=m["senses"]["image"]), "senses.smell"),
        (lambda m: m.update(schema_version="1"), "schema_version"),
        (lambda m: m.pop("schema_version"), "schema_version"),
    ],
)
def test_broken_manifest_names_the_field(
    own_bundle: Path, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    edit(own_bundle, change)
    with pytest.raises(ManifestInvalid, match=named):
        Bundle.open(own_bundle)
    assert failed(own_bundle) == ["manifest.json"]


def test_newer_format_asks_for_a_newer_release(own_bundle: Path) -> None:
    edit(own_bundle, lambda manifest: manifest.update(schema_version=2, senses="laid out in another way"))
    with pytest.raises(ManifestInvalid, match="newer release"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"embedding_dim": NaN}']
)
def test_manifest_that_is_no_manifest(own_bundle: Path, content: bytes) -> None:
    (own_bundle / "manifest.json").write_bytes(content)
    with pytest.raises(ManifestInvalid):
        Bundle.open(own_bundle)


def test_read_refuses_what_changed_after_opening(own_bundle: Path) -> None:
    bundle = Bundle.open(own_bundle)
    graph = bundle.manifest.senses["image"].graph
    path = own_bundle / graph.path
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(HashMismatch):
        bundle.read(graph)


def test_verify_reports_every_fault_and_strangers(own_bundle: Path) -> None:
    (own_bundle / "graphs/audio.onnx").unlink()
    (own_bundle / "MODEL_CARD.md").write_text("another")
    (own_bundle / "graphs/weights.data").write_text("undeclared")
    report = verify(own_bundle)
    assert not report.ok
    assert failed(own_bundle) == ["graphs/audio.onnx", "MODEL_CARD.md"]
    warned = [check.subject for check in report.checks if check.verdict is Verdict.WARNING]
    assert warned == ["graphs/weights.data"]


def test_stranger_alone_does_not_stop_the_robot(own_bundle: Path) -> None:
    (own_bundle / "notes.txt").write_text("mine")
    assert verify(own_bundle).ok
    Bundle.open(own_bundle)


def test_errors_say_how_to_mend_it(own_bundle: Path) -> None:
    (own_bundle / "MODEL_CARD.md").write_text("another")
    with pytest.raises(BundleError) as caught:
        Bundle.open(own_bundle)
    assert caught.value.fix
    assert "expected" in str(caught.value)


def test_large_files_are_hashed_when_they_are_read(own_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_HASHED_ON_OPENING", 1000)
    entry = Bundle.open(own_bundle).manifest.senses["image"]
    path = own_bundle / entry.graph.path
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    bundle = Bundle.open(own_bundle)
    with pytest.raises(HashMismatch, match=r"graphs/image\.onnx"):
        bundle.load(entry)
    assert failed(own_bundle) == ["graphs/image.onnx"]
    path.write_bytes(sound[:-1])
    with pytest.raises(HashMismatch, match="size"):
        Bundle.open(own_bundle)
    path.unlink()
    with pytest.raises(HashMismatch, match="missing"):
        Bundle.open(own_bundle)


def with_weights_outside(bundle: Path, name: str) -> bytes:
    """Move the weights of the image graph to a file of this name beside it; returns them."""
    path = bundle / "graphs/image.onnx"
    onnx.save(onnx.load(path), path, save_as_external_data=True, location=name, size_threshold=1000)
    weights = path.with_name(name)

    def change(manifest: dict[str, Any]) -> None:
        for field, file in (("graph", path), ("weights", weights)):
            content = file.read_bytes()
            manifest["senses"]["image"][field] = {
                "path": file.relative_to(bundle).as_posix(),
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
            }

    edit(bundle, change)
    return weights.read_bytes()


def test_weights_beside_their_graph_are_loaded_with_it(own_bundle: Path) -> None:
    weights = with_weights_outside(own_bundle, "image.onnx.data")
    bundle = Bundle.open(own_bundle)
    assert bundle.load(bundle.manifest.senses["image"]).weights == weights
    assert verify(own_bundle).ok
    (own_bundle / "graphs/image.onnx.data").write_bytes(weights[::-1])
    with pytest.raises(HashMismatch, match=r"image\.onnx\.data"):
        Bundle.open(own_bundle)


def test_weights_have_one_place(own_bundle: Path) -> None:
    with_weights_outside(own_bundle, "others.data")
    with pytest.raises(ManifestInvalid, match=r"weights must be 'graphs/image\.onnx\.data'"):
        Bundle.open(own_bundle)
    edit(own_bundle, lambda manifest: manifest["senses"]["image"].pop("weights"))
    with pytest.raises(UnsafePath, match="external data"):
        Bundle.open(own_bundle)
