# SPDX-License-Identifier: Apache-2.0
"""A bundle calibrated on folders of a user's own, from files to decisions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rvl_edge as rvl
from rvl_edge.errors import ConfigError, InputError
from rvl_edge.offline.calibration.answers import Answers
from rvl_edge.offline.calibration.calibrating import calibrate_bundle
from rvl_edge.offline.calibration.fitting import check_enough, cross_folds, fit
from rvl_edge.offline.calibration.monitors import calibrate_monitors
from rvl_edge.offline.calibration.samples import from_folder, is_label_folder, senses_to_calibrate
from rvl_edge.types import UNKNOWN

LABELS = ("bright wall", "dark wall", "grating")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures a label, which a random encoder tells apart better than chance."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    stripes = 255 * (np.arange(32) // 2 % 2)[:, None, None] * np.ones((1, 32, 3))
    bases = {"bright wall": 220.0, "dark wall": 30.0, "grating": stripes}
    for label, base in bases.items():
        (folder / label).mkdir()
        for number in range(30):
            picture = base + 40 * random.normal(size=(32, 32, 3))
            cv2.imwrite(str(folder / label / f"{number}.png"), picture.clip(0, 255).astype(np.uint8))
    return folder


def test_what_is_fitted_goes_into_the_bundle_and_decides(own_bundle: Path, photos: Path) -> None:
    (outcome,) = calibrate_bundle(own_bundle, photos, alpha=0.2)
    assert outcome.modality is rvl.Modality.IMAGE
    assert outcome.entry.labels == LABELS
    assert outcome.report.accuracy.trials == 90
    assert "cross-fitting" in outcome.held_out
    samples = from_folder(photos, None, 1000)
    with rvl.Perceiver.open(own_bundle, modalities=["image"]) as perceiver:
        with pytest.warns(rvl.UntrainedLabelWarning):
            perceiver.set_labels(LABELS, "image")
        assert perceiver.confidence("image") == outcome.entry
        seen = [perceiver.image(each.rgb) for each in samples.samples]
    # Of the samples it was fitted on too, no more than alpha are missed, up to those of the temperature.
    truth = [LABELS[place] for place in samples.questions[0].answers]
    answered = np.mean([each.decision != UNKNOWN for each in seen])
    covered = np.mean([name in each.plausible for name, each in zip(truth, seen, strict=True)])
    assert answered >= 0.7
    assert covered >= 0.7
    assert answered < 1


def test_calibrating_again_gives_the_same_and_keeps_the_rest(own_bundle: Path, photos: Path) -> None:
    (first,) = calibrate_bundle(own_bundle, photos, alpha=0.2)
    content = (own_bundle / "calibration.json").read_bytes()
    (second,) = calibrate_bundle(own_bundle, photos, alpha=0.2)
    assert second.entry == first.entry
    assert (own_bundle / "calibration.json").read_bytes() == content


@pytest.mark.filterwarnings("ignore::rvl_edge.refine.TransportNotConverged")
def test_cola_is_fitted_beside_the_plain_ranking(own_bundle: Path, photos: Path) -> None:
    plain, cola = calibrate_bundle(own_bundle, photos, alpha=0.2, cola=True)
    assert plain.entry.ranking == "plain"
    assert cola.entry.ranking.startswith("cola views=5 ")
    assert cola.report.unknowns is None
    with rvl.Perceiver.open(own_bundle, modalities=["image"], cola=True) as perceiver:
        with pytest.warns(rvl.UntrainedLabelWarning):
            perceiver.set_labels(LABELS, "image")
        assert perceiver.confidence("image") == cola.entry


def test_the_samples_of_a_folder_are_its_files_under_their_labels(photos: Path) -> None:
    samples = from_folder(photos, None, 1000)
    (question,) = samples.questions
    assert (len(samples), question.labels) == (90, LABELS)
    means = np.array([each.rgb.mean() for each in samples.samples])
    assert means[question.answers == 0].min() > 180
    assert means[question.answers == 1].max() < 80
    few = from_folder(photos, None, 12)
    assert len(few) == 12
    assert len(set(few.questions[0].answers.tolist())) > 1


def test_what_shows_no_label_is_measured_and_changes_nothing_that_is_fitted(
    own_bundle: Path, photos: Path, tmp_path: Path
) -> None:
    (alone,) = calibrate_bundle(own_bundle, photos, alpha=0.2)
    folder = Path(shutil.copytree(photos, tmp_path / photos.name))
    (folder / UNKNOWN).mkdir()
    for number in range(12):
        ramp = np.repeat(np.linspace(0, 255, 32)[:, None] * np.ones(32), 3).reshape(32, 32, 3)
        cv2.imwrite(str(folder / UNKNOWN / f"{number}.png"), np.roll(ramp, number, axis=0))
    (outcome,) = calibrate_bundle(own_bundle, folder, alpha=0.2)
    assert outcome.entry.labels == LABELS
    assert outcome.entry.samples == alone.entry.samples
    assert outcome.report.accuracy.trials == 90
    assert outcome.report.strangers is not None
    assert outcome.report.strangers.detected.trials == 12
    assert alone.report.strangers is None
    assert len(from_folder(folder, None, 1000)) == 90


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "one" / "only").mkdir(parents=True)
    with pytest.raises(ConfigError, match="only"):
        from_folder(tmp_path / "one", None, 100)
    (tmp_path / "two" / "text").mkdir(parents=True)
    (tmp_path / "two" / "other").mkdir()
    for label in ("text", "other"):
        (tmp_path / "two" / label / "a.txt").write_text("no picture")
    with pytest.raises(InputError):
        from_folder(tmp_path / "two", None, 100)
    (tmp_path / "sets" / "cifar10").mkdir(parents=True)
    assert not is_label_folder(tmp_path / "sets")
    assert is_label_folder(photos)


def test_samples_enough_for_the_labels_but_not_for_leaving_one_out(own_bundle: Path, photos: Path) -> None:
    (outcome,) = calibrate_bundle(
        own_bundle, photos, alpha=0.03, most=75
    )  # 32 needed: 40, or 27 of two labels
    assert outcome.report.unknowns is None
    assert outcome.report.covered.trials == 75


@pytest.mark.parametrize("verb", [calibrate_bundle, calibrate_monitors])
def test_a_sense_that_the_bundle_lacks_is_refused(
    own_bundle: Path, photos: Path, verb: Callable[..., object]
) -> None:
    manifest = rvl.Bundle.open(own_bundle).manifest
    senses = {key: value for key, value in manifest.senses.items() if key is not rvl.Modality.DEPTH}
    (own_bundle / "manifest.json").write_text(
        manifest.model_copy(update={"senses": senses}).model_dump_json()
    )
    with pytest.raises(ConfigError, match="no such sense"):
        verb(own_bundle, photos, modalities=[rvl.Modality.DEPTH])


def test_senses_without_a_set_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    usable = [rvl.Modality.IMAGE, rvl.Modality.THERMAL]
    with pytest.raises(ConfigError, match="no samples there"):
        senses_to_calibrate(usable, tmp_path, None)
    (tmp_path / "cifar10").mkdir()
    assert senses_to_calibrate(usable, tmp_path, None) == [rvl.Modality.IMAGE]
    assert senses_to_calibrate(usable, tmp_path, usable) == usable


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [
        (calibrate_bundle, {"alpha": 0.01}, "99 or more"),
        (calibrate_monitors, {"most": 20}, "too few clean samples"),
    ],
)
def test_too_few_samples_are_refused_before_any_is_encoded(
    own_bundle: Path, photos: Path, verb: Callable[..., object], options: dict[str, float], words: str
) -> None:
    before = (own_bundle / "manifest.json").read_bytes()
    steps: list[tuple[object, ...]] = []
    with pytest.raises(ConfigError, match=words):
        verb(own_bundle, photos, advance=lambda *step: steps.append(step), **options)
    assert steps == []
    assert (own_bundle / "manifest.json").read_bytes() == before
    assert not (own_bundle / "calibration.json").exists()


@given(st.integers(5, 120), st.integers(0, 30), st.sampled_from([0.03, 0.05, 0.1, 0.2]), st.booleans())
def test_what_is_refused_beforehand_is_what_fitting_refuses(
    known: int, strangers: int, alpha: float, crossed: bool
) -> None:
    random = np.random.default_rng(known)
    truth = random.permutation(np.repeat([0, 1, -1], [known - known // 2, known // 2, strangers]))
    answers = Answers(random.normal(size=(len(truth), 2)), truth)

    def fails(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except ConfigError:
            return True
        return False

    def fitted() -> None:
        for part in [fold.fitting for fold in cross_folds(answers)] if crossed else [answers]:
            fit(part, alpha)

    assert fails(lambda: check_enough(truth, alpha, crossed=crossed)) == fails(fitted)


@pytest.mark.parametrize("verb", [calibrate_bundle, calibrate_monitors])
def test_strays_are_found_before_any_sample_is_encoded(
    own_bundle: Path, photos: Path, tmp_path: Path, verb: Callable[..., object]
) -> None:
    folder = Path(shutil.copytree(photos, tmp_path / photos.name))
    (folder / LABELS[1] / "readme.txt").write_text("taken on Monday")
    (folder / LABELS[2] / "wind.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    steps: list[tuple[object, ...]] = []
    with pytest.raises(InputError, match=r"(readme\.txt|wind\.wav).*and 1 more.*take out of the folder"):
        verb(
            own_bundle,
            folder,
            modalities=[rvl.Modality.IMAGE],
            advance=lambda *step: steps.append(step),
        )
    assert steps == []
