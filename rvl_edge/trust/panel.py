# SPDX-License-Identifier: Apache-2.0
"""The monitors of one sense together, and the one number that they make."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rvl_edge.bundle.calibration import MonitorEntry
from rvl_edge.refine import text_subspace
from rvl_edge.trust.agreement import SentinelDisagreement, SubspaceEnergy, ViewDisagreement
from rvl_edge.trust.depth import HOLES
from rvl_edge.trust.features import CleanFeatures, EmbeddingDistance
from rvl_edge.trust.frozen import Frozen, Still
from rvl_edge.trust.monitor import Curve, Monitor, Observation
from rvl_edge.trust.picture import BLANK, BLUR, CLIPPED, CONTRAST, EXPOSURE, NOISE
from rvl_edge.trust.sound import CLIPPING, DIRECT_CURRENT, DROP_OUTS, HISS, LEVEL, SILENCE
from rvl_edge.trust.thermal import DEAD_PIXELS, SATURATED, STUCK_LINES, RangeJump
from rvl_edge.types import Finding, FloatArray, Modality, Trust

_COLA_RANK = 256  # the paper's


@dataclass(frozen=True, eq=False)
class Reference:
    """What embeddings of a sense are held against, whatever labels are in force: the bundle's own label set.

    Attributes:
        prompts: (K, M, D) float32, unit norm.
        anchors: (K, D) float32, unit norm.
        logit_scale: of the sense.
    """

    prompts: FloatArray
    anchors: FloatArray
    logit_scale: float


def sensor_monitors(modality: Modality) -> tuple[Monitor, ...]:
    """Monitors of what the sensor sends, with memories of their own."""
    quality = (EXPOSURE, CONTRAST, BLUR, NOISE)
    found: dict[Modality, tuple[Monitor, ...]] = {
        Modality.IMAGE: (Frozen(), BLANK, CLIPPED, *quality),
        Modality.VIDEO: (Frozen(), Still(), BLANK, CLIPPED, *quality),
        Modality.THERMAL: (Frozen(), RangeJump(), DEAD_PIXELS, STUCK_LINES, SATURATED, *quality),
        Modality.DEPTH: (Frozen(), HOLES),
        Modality.AUDIO: (Frozen(), SILENCE, LEVEL, CLIPPING, DROP_OUTS, DIRECT_CURRENT, HISS),
    }
    return found[modality]


def embedding_monitors(reference: Reference, features: CleanFeatures | None) -> tuple[Monitor, ...]:
    """Monitors of what the encoder makes of it.

    Args:
        reference: of the sense.
        features: of its clean samples, where they were fitted.
    """
    prompts = reference.prompts
    subspace = text_subspace(prompts.reshape(-1, prompts.shape[-1]), _COLA_RANK)
    return (
        *((EmbeddingDistance(features),) if features is not None else ()),
        SubspaceEnergy(subspace),
        ViewDisagreement(),
        SentinelDisagreement(reference.anchors, reference.logit_scale),
    )


class Panel:
    """Asks every monitor of a sense.

    Calls may come from any thread; they take turns, because monitors remember.

    Args:
        monitors: to ask.
        curves: fitted, by the monitor's name. A monitor without one is asked only if it is a rule.
    """

    def __init__(self, monitors: Sequence[Monitor], curves: Mapping[str, Curve]) -> None:
        self._lock = threading.Lock()
        self._asked = [
            (monitor, curve)
            for monitor in monitors
            if (curve := curves.get(monitor.name, monitor.rule)) is not None
        ]

    @classmethod
    def of(cls, modality: Modality, reference: Reference, entries: Sequence[MonitorEntry]) -> Panel:
        """The panel of a sense as it was calibrated.

        Raises:
            ConfigError: what a monitor compares with is not whole.
        """
        kept = {each.name: each.statistics for each in entries if each.statistics}
        numbers = kept.get(EmbeddingDistance.name)
        features = None if numbers is None else CleanFeatures.of(numbers, reference.anchors.shape[1])
        monitors = (*sensor_monitors(modality), *embedding_monitors(reference, features))
        return cls(monitors, {each.name: curve_of(each) for each in entries})

    @property
    def names(self) -> tuple[str, ...]:
        """Of the monitors that are asked."""
        return tuple(monitor.name for monitor, _ in self._asked)

    def judge(self, seen: Observation) -> Trust:
        """Ask each monitor once; the least trust that one of them leaves is the whole's.

        With the curves of a calibration that is, by their exponential tails, the share of clean samples which
        look as unusual to any monitor, over the false-alarm rate; see docs/trust.md.

        Args:
            seen: without views.
        """
        with self._lock:
            findings = [found for each in self._asked if (found := _ask(*each, seen)) is not None]
        return _trust(findings)

    def judge_views(self, seen: Observation, before: Trust) -> Trust:
        """Ask about the views what can be asked of them alone.

        Args:
            seen: the same observation with its views.
            before: what `judge` said.
        """
        found = [_ask(*each, seen) for each in self._asked if each[0].name == ViewDisagreement.name]
        return _trust([*before.findings, *(each for each in found if each is not None)])


def _ask(monitor: Monitor, curve: Curve, seen: Observation) -> Finding | None:
    value = monitor.statistic(seen)
    if value is None or (trust := curve.trust(value)) == 1:
        return None
    return Finding(monitor.name, trust, monitor.explain(value, curve.usual))


def _trust(findings: Sequence[Finding]) -> Trust:
    gravest_first = tuple(sorted(findings, key=lambda each: each.trust))
    return Trust(gravest_first[0].trust if gravest_first else 1.0, gravest_first)


def curve_of(entry: MonitorEntry) -> Curve:
    """A calibration's entry as a curve."""
    return Curve(entry.threshold, entry.curve or ((entry.threshold, 0.0),), entry.usual)
