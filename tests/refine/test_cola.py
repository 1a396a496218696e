# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from refine_problems import SCALE, embeddings, reference, unit
from scipy.special import softmax
from scipy.stats import entropy

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.refine import Cola, ColaSettings, Gate, TransportNotConverged
from rvl_edge.types import FloatArray, Spent

CASES = {
    "usual": {},
    "many prompts": {"prompts": 50, "classes": 30},
    "fewer texts than dimensions": {"prompts": 3, "classes": 4},
    "one prompt": {"prompts": 1},
    "one view": {"views": 1},
}


@pytest.mark.parametrize("rank", [256, 12])
@pytest.mark.parametrize("sizes", CASES.values(), ids=CASES.keys())
def test_scores_are_those_of_the_method_written_out(sizes: dict[str, int], rank: int) -> None:
    for seed in range(5):
        texts, views = embeddings(seed, **sizes)
        cola = Cola(texts, logit_scale=SCALE, settings=ColaSettings(rank=rank))
        np.testing.assert_allclose(cola.scores(views), reference(texts, views, rank=rank), atol=1e-4)


def test_one_view_and_one_prompt_rank_as_the_plain_cosine() -> None:
    for seed in range(50):
        texts, views = embeddings(seed, views=1, prompts=1)
        cola = Cola(texts, logit_scale=SCALE)
        cosines = texts[:, 0] @ views[0]
        scores = cola.scores(views)
        length = np.linalg.norm(cola.subspace.project(views))
        np.testing.assert_allclose(scores, cosines / length - 1, atol=2e-6)
        np.testing.assert_array_equal(np.argsort(scores), np.argsort(cosines))


def test_a_projection_of_full_rank_changes_no_single_view_arg_max() -> None:
    for seed in range(50):
        texts, views = embeddings(seed, views=1, prompts=4)
        cola = Cola(texts, logit_scale=SCALE)
        assert cola.subspace.rank == cola.subspace.text_rank < texts.shape[2]
        # With <Π(x), z> = <x, z>, one view's score is its prompts' weighted cosine: no projection here.
        unprojected = [reference_one_view(texts, views[0], label) for label in range(len(texts))]
        assert cola.scores(views).argmax() == np.argmax(unprojected)


def reference_one_view(texts: FloatArray, view: FloatArray, label: int) -> float:
    means = unit(texts.mean(axis=1))
    uncertainty = []
    for text in texts[label]:
        logits = SCALE * means @ view
        logits[label] = SCALE * text @ view
        uncertainty.append(entropy(softmax(logits)))
    return float(softmax(-np.array(uncertainty) / 0.5) @ texts[label] @ view)


def test_a_cut_rank_does_change_scores() -> None:
    texts, views = embeddings(0)
    full = Cola(texts, logit_scale=SCALE)
    cut = Cola(texts, logit_scale=SCALE, settings=ColaSettings(rank=4))
    assert cut.subspace.rank == 4 < full.subspace.rank
    assert np.abs(full.scores(views) - cut.scores(views)).max() > 1e-2


def test_order_of_classes_prompts_and_later_views_does_not_matter() -> None:
    texts, views = embeddings(1)
    random = np.random.default_rng(0)
    scores = Cola(texts, logit_scale=SCALE).scores(views)
    classes, prompts = random.permutation(len(texts)), random.permutation(texts.shape[1])
    others = np.concatenate([[0], 1 + random.permutation(len(views) - 1)])
    shuffled = Cola(texts[classes][:, prompts], logit_scale=SCALE).scores(views[others])
    np.testing.assert_allclose(shuffled, scores[classes], atol=2e-6)


def test_lengths_of_views_and_texts_do_not_matter() -> None:
    texts, views = embeddings(2)
    scores = Cola(texts, logit_scale=SCALE).scores(views)
    lengths = np.array([3, 1, 0.1, 7, 100], np.float32)[:, None]
    np.testing.assert_allclose(Cola(texts * 5, logit_scale=SCALE).scores(views * lengths), scores, atol=2e-6)


def test_a_view_outside_the_subspace_scores_all_classes_alike() -> None:
    texts = np.zeros((3, 2, 8), np.float32)
    texts[:, :, :4] = unit(np.random.default_rng(0).normal(size=(3, 2, 4)))
    outside = np.eye(8, dtype=np.float32)[7:]
    np.testing.assert_allclose(Cola(texts, logit_scale=SCALE).scores(outside), -1, atol=1e-6)


def test_results_are_the_callers_own_and_views_may_change_in_number() -> None:
    texts, views = embeddings(3)
    cola = Cola(texts, logit_scale=SCALE)
    first = cola.scores(views)
    kept = first.copy()
    fewer = cola.scores(views[:2])
    np.testing.assert_array_equal(fewer, Cola(texts, logit_scale=SCALE).scores(views[:2]))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(cola.scores(views), kept)


def test_threads_take_turns() -> None:
    texts, _ = embeddings(4)
    cola = Cola(texts, logit_scale=SCALE)
    samples = [embeddings(seed, views=1 + seed % 5)[1] for seed in range(40)]
    expected = [Cola(texts, logit_scale=SCALE).scores(views) for views in samples]
    with ThreadPoolExecutor(8) as pool:
        for got, want in zip(pool.map(cola.scores, samples), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_warns_when_the_transport_did_not_converge() -> None:
    texts, views = embeddings(5)
    cola = Cola(texts, logit_scale=SCALE, settings=ColaSettings(epsilon=0.001, iterations=1))
    with pytest.warns(TransportNotConverged, match="after 1 iterations"):
        cola.scores(views)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Cola(texts, logit_scale=SCALE).scores(views)


def test_logs_the_rank(caplog: pytest.LogCaptureFixture) -> None:
    texts, _ = embeddings(6, classes=3, prompts=2)
    with caplog.at_level(logging.INFO, "rvl_edge"):
        Cola(texts, logit_scale=SCALE, settings=ColaSettings(rank=4))
    assert "6 texts of rank 6, 4 directions kept" in caplog.text


def test_refuses_bad_views() -> None:
    texts, views = embeddings(7)
    cola = Cola(texts, logit_scale=SCALE)
    for wrong in (views[0], views[:0], views[:, :-1], views[None]):
        with pytest.raises(BadShape, match="views"):
            cola.scores(wrong)
    for value in (np.nan, np.inf, 0):
        broken = views.copy()
        broken[2] = value
        with pytest.raises(NonFinite, match="view"):
            cola.scores(broken)


def test_refuses_bad_texts_and_settings() -> None:
    texts, _ = embeddings(8)
    for wrong in (texts[0], texts[:0], texts[:, :0]):
        with pytest.raises(ConfigError, match="shape"):
            Cola(wrong, logit_scale=SCALE)
    opposed = np.stack([texts[:, 0], -texts[:, 0]], axis=1)
    for wrong in (texts * np.nan, texts * 0, opposed):
        with pytest.raises(ConfigError, match="zero or not finite"):
            Cola(wrong, logit_scale=SCALE)
    for scale in (0, -1, 301, np.nan):
        with pytest.raises(ConfigError, match="logit scale"):
            Cola(texts, logit_scale=scale)
    for setting in (
        {"views": 0},
        {"rank": 0},
        {"epsilon": 0},
        {"iterations": 0},
        {"views": 2.5},
        {"rank": 64.0},
        {"iterations": "300"},
        {"keep": "half"},
        {"tolerance": np.nan},
        {"budget_ms": 0},
    ):
        with pytest.raises(ConfigError, match=next(iter(setting))):
            ColaSettings(**setting)


def test_a_shortlist_scores_its_classes_as_ever_and_ranks_the_rest_below() -> None:
    texts, views = embeddings(9, classes=30, prompts=4)
    cola = Cola(texts, logit_scale=SCALE)
    every, some = cola.scores(views), cola.scores(views, classes=7)
    likeliest = np.argsort(-(unit(texts.mean(axis=1)) @ views[0]))
    np.testing.assert_allclose(some[likeliest[:7]], every[likeliest[:7]], atol=2e-6)
    rest = some[likeliest[7:]]
    assert rest.max() <= some[likeliest[:7]].min()
    assert (np.diff(rest) <= 0).all(), "in the order of the first view's cosines"


def test_a_shortlist_of_all_or_more_is_none() -> None:
    texts, views = embeddings(10, classes=8)
    cola = Cola(texts, logit_scale=SCALE)
    for classes in (8, 100):
        np.testing.assert_array_equal(cola.scores(views, classes), cola.scores(views))


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        (Gate(margin=1, trust=0), Spent.UNSURE),
        (Gate(margin=0, trust=1), Spent.DISTRUSTED),
        (Gate(margin=0, trust=0), Spent.SPARED),
    ],
)
def test_one_is_always_and_zero_never(gate: Gate, why: Spent) -> None:
    for margin, trust in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        assert gate.verdict(margin, trust) is why


@pytest.mark.parametrize("margin", [-0.1, 1.1, np.nan])
def test_refuses_a_gate_that_is_no_probability(margin: float) -> None:
    with pytest.raises(ConfigError, match="margin"):
        Gate(margin=margin)
