# SPDX-License-Identifier: Apache-2.0
"""What all senses say together: one distribution over everything that any of them can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from rvl_edge.bundle import Bundle
from rvl_edge.errors import ConfigError
from rvl_edge.trust.concepts import Concepts
from rvl_edge.trust.consistency import Cusum, divergence
from rvl_edge.trust.pooling import Opinion, pool
from rvl_edge.types import UNKNOWN, Finding, Label, Modality, Perception

MAX_AGE: Mapping[Modality, float] = {
    Modality.IMAGE: 1.0,
    Modality.THERMAL: 1.0,
    Modality.DEPTH: 1.0,
    Modality.AUDIO: 3.0,  # seconds of sound and of video go into one sample
    Modality.VIDEO: 3.0,
}
_ONE_CAMERA = frozenset({Modality.IMAGE, Modality.VIDEO})  # a clip is a window over the pictures
_WORSE = 0.1  # difference in trust by which one of two senses in conflict is blamed alone


@dataclass(frozen=True)
class Vote:
    """One sense's part in a scene.

    Attributes:
        modality: the sense.
        weight: in [0, 1], how much it counted: its trust, less what conflicts with other senses cost it.
        age: of its sample, in seconds.
        decision: its own first label, or `UNKNOWN`.
    """

    modality: Modality
    weight: float
    age: float
    decision: str


@dataclass(frozen=True)
class Scene:
    """What the senses present say together.

    Attributes:
        labels: everything that a sense with weight can name, by falling probability; sums to 1. Empty where
            no sense counts.
        decision: the first label's name, or `UNKNOWN` where no sense counts or none has a decision.
        votes: the senses present.
        missing: senses that were heard before and whose last sample is too old.
        findings: conflicts between senses, the gravest first.
    """

    labels: tuple[Label, ...]
    decision: str
    votes: tuple[Vote, ...]
    missing: tuple[Modality, ...] = ()
    findings: tuple[Finding, ...] = ()


class Fusion:
    """Keeps each sense's newest perception, and whether the senses agree. Calls come one at a time.

        fusion = Fusion.of(perceiver.bundle)
        fusion.update(perceiver.image(rgb), stamp)
        scene = fusion.scene(now)

    Args:
        concepts: which labels name the same thing.
        max_age: seconds after which a sense's sample no longer counts; `MAX_AGE` where a sense is not named.

    Raises:
        ConfigError: an age that is not positive.
    """

    def __init__(
        self, concepts: Concepts | None = None, *, max_age: Mapping[Modality, float] | None = None
    ) -> None:
        self._concepts = concepts or Concepts()
        self._max_age = {**MAX_AGE, **(max_age or {})}
        if not all(age > 0 for age in self._max_age.values()):
            raise ConfigError("a sense's largest age must be positive", got=dict(self._max_age))
        self._heard: dict[Modality, _Heard] = {}
        self._pairs: dict[tuple[Modality, Modality], _Pair] = {}

    @classmethod
    def of(cls, bundle: Bundle, *, max_age: Mapping[Modality, float] | None = None) -> Fusion:
        """Fuse senses of a bundle, by the synonyms of its label sets."""
        return cls(Concepts(bundle.manifest.label_sets.values()), max_age=max_age)

    def update(self, perception: Perception, stamp: float) -> None:
        """Take a perception in, in place of the same sense's last one.

        Args:
            perception: of any sense.
            stamp: when its sample was taken, in seconds, of the clock that `scene` is asked by.
        """
        distribution: dict[str, float] = {}
        names: dict[str, str] = {}
        for label in perception.labels:
            concept = self._concepts.of(label.name)
            distribution[concept] = distribution.get(concept, 0.0) + label.probability
            names.setdefault(concept, label.name)
        trust = 1.0 if perception.trust is None else perception.trust.value
        modality = perception.modality
        self._heard[modality] = _Heard(distribution, names, trust, perception.decision, stamp)
        self._compare(modality)

    def scene(self, now: float) -> Scene:
        """What the senses heard lately say together.

        Args:
            now: seconds, of the stamps' clock. A stamp further ahead of it than the sense's largest age, as
                after a clock was set back, counts as too old.
        """
        present = {
            modality: heard for modality, heard in sorted(self._heard.items()) if self._fresh(modality, now)
        }
        findings, factors = self._conflicts(present)
        weights = {modality: heard.trust * factors[modality] for modality, heard in present.items()}
        _share(weights)
        pooled = pool([Opinion(heard.distribution, weights[each]) for each, heard in present.items()])
        names: dict[str, str] = {}
        for heard in present.values():
            names = {**heard.names, **names}
        ranked = sorted(pooled.items(), key=lambda each: (-each[1], each[0]))
        labels = tuple(Label(names[concept], probability) for concept, probability in ranked)
        decided = any(
            heard.decision != UNKNOWN and weights[modality] > 0 for modality, heard in present.items()
        )
        return Scene(
            labels=labels,
            decision=labels[0].name if labels and decided else UNKNOWN,
            votes=tuple(
                Vote(modality, weights[modality], max(0.0, now - heard.stamp), heard.decision)
                for modality, heard in present.items()
            ),
            missing=tuple(modality for modality in sorted(self._heard) if modality not in present),
            findings=findings,
        )

    def _fresh(self, modality: Modality, now: float) -> bool:
        return abs(now - self._heard[modality].stamp) <= self._max_age[modality]

    def _compare(self, modality: Modality) -> None:
        """Hold a sense's new opinion against others of its time that it was not compared with yet."""
        heard = self._heard[modality]
        for other, own in self._heard.items():
            if other is modality or not self._fresh(other, heard.stamp):
                continue
            pair = self._pairs.setdefault(_ordered(modality, other), _Pair(Cusum()))
            if heard in pair.compared or own in pair.compared:
                continue
            found = divergence(heard.distribution, own.distribution)
            if found is not None:
                pair.cusum.add(found)
                pair.compared = (heard, own)

    def _conflicts(
        self, present: Mapping[Modality, _Heard]
    ) -> tuple[tuple[Finding, ...], dict[Modality, float]]:
        """Senses in lasting conflict, and what is left of each one's weight.

        Which of two is wrong cannot be told from the two: the one in conflict with more senses is blamed,
        else the one whose own monitors are worse, else both.
        """
        clashes = {
            pair: self._pairs[pair].cusum.trust
            for pair in combinations(present, 2)
            if pair in self._pairs and self._pairs[pair].cusum.trust < 1
        }
        counts = {each: sum(each in pair for pair in clashes) for each in present}
        factors = dict.fromkeys(present, 1.0)
        findings = []
        for (first, second), trust in clashes.items():
            blamed = _blamed(first, second, counts, present)
            for each in blamed:
                factors[each] = min(factors[each], trust)
            detail = f"{first} and {second} keep contradicting each other; distrusted: {', '.join(blamed)}"
            findings.append(Finding("consistency", trust, detail))
        return tuple(sorted(findings, key=lambda each: each.trust)), factors


@dataclass(frozen=True, eq=False)
class _Heard:
    """A sense's newest perception: by concept, with the names it uses."""

    distribution: Mapping[str, float]
    names: Mapping[str, str]
    trust: float
    decision: str
    stamp: float


@dataclass(eq=False)
class _Pair:
    """Two senses' agreement so far, and the perceptions compared last."""

    cusum: Cusum
    compared: tuple[_Heard, ...] = ()


def _ordered(first: Modality, second: Modality) -> tuple[Modality, Modality]:
    return (first, second) if first < second else (second, first)


def _share(weights: dict[Modality, float]) -> None:
    """Let senses of one camera count together as much as the more trusted of them alone."""
    shared = [each for each in weights if each in _ONE_CAMERA]
    total = sum(weights[each] for each in shared)
    if len(shared) > 1 and total > 0:
        part = max(weights[each] for each in shared) / total
        for each in shared:
            weights[each] *= part


def _blamed(
    first: Modality, second: Modality, counts: Mapping[Modality, int], present: Mapping[Modality, _Heard]
) -> tuple[Modality, ...]:
    if counts[first] != counts[second]:
        return (first if counts[first] > counts[second] else second,)
    gap = present[first].trust - present[second].trust
    if abs(gap) > _WORSE:
        return (first if gap < 0 else second,)
    return first, second
