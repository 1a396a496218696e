# SPDX-License-Identifier: Apache-2.0
"""COLA on real samples through the embedded encoders, against the method written out with POT's solvers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from refine_problems import reference

import rvl_edge as rvl
from rvl_edge.refine import Cola, ColaSettings, frame_seed, make_views

pytest.importorskip("torch")
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import make_trial

pytestmark = pytest.mark.data
COUNT = 3


@pytest.fixture(scope="module")
def perceiver() -> Iterator[rvl.Perceiver]:
    with rvl.Perceiver.open(threads=1) as opened:
        yield opened


@pytest.mark.parametrize("sense", list(rvl.Modality)[:2] + list(rvl.Modality)[3:])
def test_scores_and_ranking(perceiver: rvl.Perceiver, data_dir: Path, sense: rvl.Modality) -> None:
    entry, anchors = perceiver.bundle.manifest.senses[sense], perceiver.anchors(sense)
    samples = load_part(sense, data_dir, Part.VALIDATION).take(slice(COUNT))
    cola = Cola(anchors.prompts, logit_scale=entry.logit_scale)
    fine = Cola(anchors.prompts, logit_scale=entry.logit_scale, settings=ColaSettings(epsilon=0.005))
    slack = 0.005 * np.log(cola.settings.views * anchors.prompts.shape[1])
    for inputs in make_trial(samples, entry.preprocess, Part.VALIDATION).inputs:
        views = perceiver.encode_batch(sense, make_views(inputs, sense, 5, frame_seed(inputs)))
        written_out = {"rank": 256, "scale": entry.logit_scale}
        entropic = reference(anchors.prompts, views, **written_out)
        np.testing.assert_allclose(cola.scores(views), entropic, atol=1e-4)

        exact = reference(anchors.prompts, views, **written_out, epsilon=None)
        scores = fine.scores(views)
        assert (scores <= exact + 1e-4).all()
        assert (scores >= exact - slack - 1e-4).all()
        apart = exact[:, None] > exact[None, :] + slack + 2e-4
        assert apart.any()
        assert (scores[:, None] > scores[None, :])[apart].all()

        plain = anchors.matrix @ views[0]
        single = Cola(anchors.matrix[:, None], logit_scale=entry.logit_scale).scores(views[:1])
        np.testing.assert_array_equal(np.argsort(single), np.argsort(plain))
