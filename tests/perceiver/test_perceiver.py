# SPDX-License-Identifier: Apache-2.0
"""Perceiver over a random bundle: the steps against the same steps taken one by one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import tiny_bundle as maker

import rvl_edge as rvl
from rvl_edge import preprocess as pre
from rvl_edge.backends import Session, open_session
from rvl_edge.errors import BackendError, BadDtype, BadShape, ConfigError, HashMismatch, InputError, NonFinite

RANDOM = np.random.default_rng(7)
PICTURE = RANDOM.integers(0, 256, (48, 64, 3), np.uint8)
COUNTS = RANDOM.integers(20_000, 40_000, (50, 60), np.uint16)
DEPTH = RANDOM.integers(0, 12_000, (40, 60), np.uint16)
SOUND = (RANDOM.normal(size=24_000) * 0.1).astype(np.float32)
FRAMES = RANDOM.integers(0, 256, (9, 40, 50, 3), np.uint8)

SAMPLES: dict[str, Callable[[rvl.Perceiver], rvl.Perception]] = {
    "image": lambda perceiver: perceiver.image(PICTURE),
    "thermal": lambda perceiver: perceiver.thermal(COUNTS),
    "depth": lambda perceiver: perceiver.depth(DEPTH),
    "audio": lambda perceiver: perceiver.audio(SOUND, sample_rate=16_000),
    "video": lambda perceiver: perceiver.video(FRAMES),
}


@pytest.fixture
def perceiver(tiny_bundle: Path) -> Iterator[rvl.Perceiver]:
    with rvl.Perceiver.open(tiny_bundle, threads=1) as opened:
        yield opened


def model_input(sense: str) -> npt.NDArray[np.float32]:
    spec = maker.SPECS[rvl.Modality(sense)]
    make = {
        "image": lambda: pre.preprocess_image(PICTURE, spec),
        "thermal": lambda: pre.preprocess_thermal(COUNTS, spec),
        "depth": lambda: pre.preprocess_depth(DEPTH, spec),
        "audio": lambda: pre.preprocess_audio(SOUND, spec, sample_rate=16_000),
        "video": lambda: pre.preprocess_video(FRAMES, spec),
    }
    return make[sense]()


@pytest.mark.parametrize("sense", SAMPLES)
def test_embedding_is_the_graphs_own_and_labels_are_its_softmax(
    perceiver: rvl.Perceiver, tiny_bundle: Path, sense: str
) -> None:
    seen = SAMPLES[sense](perceiver)
    graph = onnxruntime.InferenceSession(tiny_bundle / f"graphs/{sense}.onnx")
    (wanted,) = graph.run(None, {"pixel_values": model_input(sense)[None]})
    np.testing.assert_allclose(seen.embedding, wanted[0], atol=1e-6)
    assert abs(np.linalg.norm(seen.embedding) - 1) < 1e-6
    assert seen.modality == sense

    labels = maker.LABELS[maker.LABEL_SET[seen.modality]]
    prompts = [
        form.replace("{}", label)
        for label in labels
        for form in ("a photo of a {}", "one {} seen by a robot")
    ]
    texts = perceiver.embed_text(prompts).reshape(len(labels), 2, -1).mean(axis=1)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    weights = np.exp(20.0 * texts @ wanted[0])
    wanted_ranks = dict(zip(labels, weights / weights.sum(), strict=True))
    assert [label.name for label in seen.labels] == sorted(labels, key=wanted_ranks.__getitem__, reverse=True)
    for label in seen.labels:
        assert label.probability == pytest.approx(wanted_ranks[label.name], abs=1e-5)


@pytest.mark.parametrize("sense", SAMPLES)
def test_same_sample_same_answer(perceiver: rvl.Perceiver, sense: str) -> None:
    first, second = SAMPLES[sense](perceiver), SAMPLES[sense](perceiver)
    np.testing.assert_array_equal(first.embedding, second.embedding)
    assert first.labels == second.labels
    assert min(first.timing.preprocess, first.timing.encode, first.timing.classify) > 0


@pytest.mark.parametrize("sense", SAMPLES)
def test_batch_agrees_with_single_samples(perceiver: rvl.Perceiver, sense: str) -> None:
    one = model_input(sense)
    batch = np.stack([one, 0.5 * one, one[..., ::-1]])
    embeddings = perceiver.encode_batch(sense, batch)
    np.testing.assert_allclose(embeddings[0], SAMPLES[sense](perceiver).embedding, atol=1e-6)
    for row, sample in zip(embeddings, batch, strict=True):
        np.testing.assert_allclose(perceiver.encode_batch(sense, sample[None])[0], row, atol=1e-6)


def test_classify_agrees_with_perceive(perceiver: rvl.Perceiver) -> None:
    seen = perceiver.image(PICTURE)
    assert perceiver.classify("image", seen.embedding) == seen.labels


def test_classify_refuses_what_is_no_embedding(perceiver: rvl.Perceiver) -> None:
    with pytest.raises(BadShape):
        perceiver.classify("image", np.zeros(maker.DIM + 1, np.float32))
    with pytest.raises(NonFinite):
        perceiver.classify("image", np.full(maker.DIM, np.nan, np.float32))
    for wrong in ([0.0] * maker.DIM, None, np.full(maker.DIM, "0")):
        with pytest.raises(BadDtype, match="no embedding"):
            perceiver.classify("image", wrong)  # type: ignore[arg-type]


def test_set_labels_for_one_sense_and_for_all(perceiver: rvl.Perceiver) -> None:
    assert perceiver.image(PICTURE).labels_version == 1
    with pytest.warns(rvl.UntrainedLabelWarning, match="forklift"):
        second = perceiver.set_labels(["dog", "forklift"], "image")
    assert second == perceiver.image(PICTURE).labels_version == 2
    assert perceiver.thermal(COUNTS).labels_version == 1
    assert perceiver.labels("image") == ("dog", "forklift")
    assert perceiver.anchors("image").untrained == ("forklift",)
    with pytest.warns(rvl.UntrainedLabelWarning):
        third = perceiver.set_labels(["rain"])
    assert {perceiver.anchors(sense).version for sense in perceiver.modalities} == {third} == {3}
    assert perceiver.image(PICTURE).labels == (rvl.Label("rain", 1.0),)


def test_trained_labels_do_not_warn(perceiver: rvl.Perceiver) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        perceiver.set_labels(["Person", "car"], "thermal")


def test_own_templates_change_the_anchors(perceiver: rvl.Perceiver) -> None:
    perceiver.set_labels(["dog", "car"], "image", templates=["{} on a road"])
    np.testing.assert_allclose(
        perceiver.anchors("image").matrix, perceiver.embed_text(["dog on a road", "car on a road"]), atol=1e-6
    )


@pytest.mark.parametrize("labels", [[], ["dog", "DOG"], [""], "dog"])
def test_labels_that_cannot_be_used_change_nothing(perceiver: rvl.Perceiver, labels: list[str]) -> None:
    before = perceiver.image(PICTURE)
    with pytest.raises(ConfigError):
        perceiver.set_labels(labels)
    after = perceiver.image(PICTURE)
    assert (after.labels, after.labels_version) == (before.labels, before.labels_version)


def test_labels_change_at_once_for_readers_in_other_threads(perceiver: rvl.Perceiver) -> None:
    """Every perception is ranked by one label set, never by a mixture, and versions do not go back."""
    sets = {number: [f"label {number} {at}" for at in range(3 + number % 4)] for number in range(2, 30)}
    expected = {1: set(perceiver.labels("image"))} | {number: set(names) for number, names in sets.items()}
    done = threading.Event()
    faults: list[str] = []

    def read() -> None:
        newest = 1
        while not done.is_set():
            seen = perceiver.image(PICTURE)
            if {label.name for label in seen.labels} != expected[seen.labels_version]:
                faults.append(f"mixture at {seen.labels_version}")
            if seen.labels_version < newest:
                faults.append(f"{seen.labels_version} after {newest}")
            newest = seen.labels_version

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [perceiver.set_labels(names) for names in sets.values()] == list(sets)
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []


def test_only_the_senses_asked_for(tiny_bundle: Path) -> None:
    with rvl.Perceiver.open(tiny_bundle, modalities=["audio"]) as perceiver:
        assert perceiver.modalities == (rvl.Modality.AUDIO,)
        perceiver.audio(SOUND, sample_rate=16_000)
        with pytest.raises(ConfigError, match="not in use"):
            perceiver.image(PICTURE)
        with pytest.raises(ConfigError, match="not in use"):
            perceiver.set_labels(["dog"], "image")


@pytest.mark.parametrize("modalities", [["smell"], []])
def test_senses_that_do_not_exist(tiny_bundle: Path, modalities: list[str]) -> None:
    with pytest.raises(ConfigError):
        rvl.Perceiver.open(tiny_bundle, modalities=modalities)


def test_sense_that_this_bundle_lacks(own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / "manifest.json").read_text())
    del manifest["senses"]["thermal"]
    (own_bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match="got thermal, expected image, depth, audio, video"):
        rvl.Perceiver.open(own_bundle, modalities=["image", "thermal"])


def test_a_broken_sense_does_not_stop_the_others(own_bundle: Path) -> None:
    """The file is sound when the bundle is opened and damaged before the sense is first used."""
    with rvl.Perceiver.open(own_bundle) as perceiver:
        (own_bundle / "graphs/thermal.onnx").write_bytes(b"gone")
        with pytest.raises(HashMismatch):
            perceiver.thermal(COUNTS)
        with pytest.raises(HashMismatch):
            perceiver.warm_up()
        perceiver.warm_up("image")
        assert perceiver.image(PICTURE).labels


def test_graph_and_preprocessing_that_disagree(own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / "manifest.json").read_text())
    manifest["senses"]["image"]["preprocess"]["size"] = 40
    (own_bundle / "manifest.json").write_text(json.dumps(manifest))
    with rvl.Perceiver.open(own_bundle) as perceiver, pytest.raises(BackendError, match="disagree"):
        perceiver.image(PICTURE)


def test_what_cannot_be_used_leaves_no_graph_loaded(
    tiny_bundle: Path, own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Session] = []
    closed: list[Session] = []

    def noted(*arguments: Any, **options: Any) -> Session:
        session = open_session(*arguments, **options)
        close = session.close
        monkeypatch.setattr(session, "close", lambda: (closed.append(session), close()))
        loaded.append(session)
        return session

    monkeypatch.setattr("rvl_edge._encoder.open_session", noted)
    with pytest.raises(ConfigError, match="no sentinel"):
        rvl.Perceiver.open(tiny_bundle, sentinel=True)
    assert len(loaded) == 1
    assert closed == loaded
    manifest = json.loads((own_bundle / "manifest.json").read_text())
    manifest["senses"]["image"]["preprocess"]["size"] = 40
    (own_bundle / "manifest.json").write_text(json.dumps(manifest))
    with rvl.Perceiver.open(own_bundle) as perceiver:
        for _ in range(2):
            with pytest.raises(BackendError, match="disagree"):
                perceiver.image(PICTURE)
        (text,) = [each for each in loaded if each not in closed]
    assert text in closed


def test_bad_samples_are_input_errors_and_the_next_good_one_works(perceiver: rvl.Perceiver) -> None:
    for bad in (np.zeros((0, 5, 3), np.uint8), PICTURE.astype(np.float64), np.zeros((4, 4, 7), np.uint8)):
        with pytest.raises(InputError):
            perceiver.image(bad)
    with pytest.raises(InputError):
        perceiver.audio(np.full(16_000, np.nan, np.float32), sample_rate=16_000)
    with pytest.raises(BadShape):
        perceiver.encode_batch("image", np.zeros((3, 32, 32), np.float32))
    with pytest.raises(BadDtype):
        perceiver.encode_batch("image", [model_input("image")])  # type: ignore[arg-type]
    assert perceiver.image(PICTURE).labels


def test_text_that_cannot_be_embedded(perceiver: rvl.Perceiver) -> None:
    for bad in ([], [""], "one string", ["\n"]):
        with pytest.raises(ConfigError):
            perceiver.embed_text(bad)
    assert perceiver.embed_text(["dog", "dog"]).shape == (2, maker.DIM)


def test_closed_perceiver_says_so(tiny_bundle: Path) -> None:
    perceiver = rvl.Perceiver.open(tiny_bundle)
    perceiver.image(PICTURE)
    perceiver.close()
    perceiver.close()
    for sense in SAMPLES.values():
        with pytest.raises(BackendError, match="closed"):
            sense(perceiver)
    with pytest.raises(BackendError, match="closed"):
        perceiver.embed_text(["dog"])


def test_senses_run_side_by_side_and_results_do_not_mix(perceiver: rvl.Perceiver) -> None:
    wanted = {sense: perceive(perceiver).embedding for sense, perceive in SAMPLES.items()}
    wrong: list[str] = []

    def work(sense: str) -> None:
        for _ in range(30):
            if not np.array_equal(SAMPLES[sense](perceiver).embedding, wanted[sense]):
                wrong.append(sense)

    threads = [threading.Thread(target=work, args=(sense,)) for sense in [*SAMPLES, *SAMPLES]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_wrong_number_of_threads(tiny_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="threads"):
        rvl.Perceiver.open(tiny_bundle, threads=0)


LIGHT = """
import sys
import rvl_edge
heavy = {"numpy", "onnxruntime", "cv2", "pydantic", "torch"} & set(sys.modules)
assert not heavy, heavy
perceiver = rvl_edge.Perceiver.open(sys.argv[1])
assert not {"torch", "onnx", "typer", "matplotlib"} & set(sys.modules)
assert set(rvl_edge.__all__) <= set(dir(rvl_edge))
assert all(getattr(rvl_edge, name) for name in rvl_edge.__all__)
"""


def test_import_is_light_and_the_robot_path_has_no_torch(tiny_bundle: Path) -> None:
    subprocess.run([sys.executable, "-c", LIGHT, str(tiny_bundle)], check=True, timeout=120)
