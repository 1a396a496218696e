# SPDX-License-Identifier: Apache-2.0
"""Fitted monitors together warn on fresh clean samples as seldom as promised, by simulation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import ConfigError
from rvl_edge.offline.calibration.measuring import separation
from rvl_edge.offline.calibration.tails import Family, fit_family
from rvl_edge.offline.evaluation.detecting import detected_at, roc


def clean(count: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Light, heavy and discrete tails; two of them move together."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=count)
    return {
        "light": random.random(count),
        "normal": shared,
        "together": shared + 0.1 * random.normal(size=count),
        "heavy": random.standard_t(3, size=count),
        "mostly zero": np.where(random.random(count) < 0.97, 0.0, random.random(count)),
        "always zero": np.zeros(count),
    }


def warned(family: Family, statistics: dict[str, npt.NDArray[np.float64]]) -> float:
    hits = [statistics[name] > curve.threshold for name, curve in family.curves.items()]
    return float(np.any(hits, axis=0).mean())


@pytest.mark.parametrize(("samples", "rate"), [(1000, 0.01), (400, 0.05)])
def test_the_promised_rate_holds_on_average_over_calibrations(samples: int, rate: float) -> None:
    fresh = clean(20_000, seed=999)
    rates = [warned(fit_family(clean(samples, seed), rate), fresh) for seed in range(40)]
    assert rate * 0.6 <= np.mean(rates) <= rate * 1.05


@pytest.mark.parametrize("tail", ["normal", "standard_cauchy", "standard_exponential", "random"])
@pytest.mark.parametrize(("monitors", "samples", "rate"), [(10, 600, 0.01), (9, 80, 4 / 81)])
def test_the_rate_holds_for_as_many_monitors_and_samples_as_a_bundle_has(
    tail: str, monitors: int, samples: int, rate: float
) -> None:
    """Monitors that know nothing of each other are the hardest case: each has a largest sample of its own."""

    def draw(count: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
        values = getattr(np.random.default_rng(seed), tail)(size=(monitors, count))
        return {str(each): row for each, row in enumerate(values)}

    fresh = draw(20_000, seed=999)
    rates = [warned(fit_family(draw(samples, seed), rate), fresh) for seed in range(40)]
    assert rate * 0.4 <= np.mean(rates) <= rate * 1.1


def test_too_few_samples_widen_the_rate_and_far_too_few_are_refused() -> None:
    family = fit_family(clean(100, 0), 0.01)
    assert family.rate == pytest.approx(4 / 101)
    with pytest.raises(ConfigError, match="too few"):
        fit_family(clean(60, 0), 0.01)


def test_trust_is_one_up_to_the_threshold_and_falls_beyond() -> None:
    family = fit_family(clean(1000, 0), 0.01)
    for name, curve in family.curves.items():
        assert curve.trust(curve.threshold) == 1, name
        beyond = curve.threshold + np.linspace(1e-6, 20, 50) * (curve.points[-1][0] - curve.threshold)
        trusts = [curve.trust(value) for value in beyond]
        assert trusts == sorted(trusts, reverse=True)
        assert trusts[-1] == pytest.approx(0.01)
    assert family.curves["always zero"].trust(0.0) == 1
    assert family.curves["always zero"].trust(0.5) < 1


def test_trust_is_how_seldom_clean_samples_are_as_unusual() -> None:
    """Among alarms of an exponential statistic trust is uniform."""
    random = np.random.default_rng(0)
    (curve,) = fit_family({"only": random.exponential(size=20_000)}, 0.01).curves.values()
    fresh = random.exponential(size=400_000)
    half = np.mean([curve.trust(value) <= 0.5 for value in fresh[fresh > curve.threshold]])
    assert half == pytest.approx(0.5, abs=0.06)


def test_roc_area_and_detection_of_shifted_normals() -> None:
    random = np.random.default_rng(0)
    usual, shifted = random.normal(size=4000), random.normal(2, size=4000)
    found = separation(shifted, usual)
    assert found.low < 0.9214 < found.high  # Phi(2 / sqrt(2))
    assert detected_at(0.01, usual, shifted).value == pytest.approx(0.372, abs=0.04)  # 1 - Phi(2.326 - 2)
    curve = roc(usual, shifted)
    heights = (curve.detected[1:] + curve.detected[:-1]) / 2
    assert np.diff(curve.false_alarms) @ heights == pytest.approx(found.value, abs=1e-3)
    assert curve.detected[0] == 0
    assert curve.detected[-1] == pytest.approx(1, abs=1e-3)
