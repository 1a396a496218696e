# SPDX-License-Identifier: Apache-2.0
"""Attacked and corrupted evaluations, from the texts and paths of the command line to a plan.

Imported within `offline_half`, for plans are of the half that needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rvl_edge.cli.arguments import existing
from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.budgets import radii, radius, ratios
from rvl_edge.offline.evaluation.plans import Asked, Conditions, Means, Plan, is_bundle
from rvl_edge.offline.evaluation.running import Share
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.offline.training.processes import Processes
from rvl_edge.types import Modality


def asked(
    data: Path,
    *,
    part: str,
    samples: int | None,
    label_set: str | None,
    at_sensor: bool,
    text: Path | None,
    labels: Path,
) -> Asked:
    """What is asked, and by which texts. Raises ConfigError where a path is not there."""
    return Asked(existing(data), Part(part), samples, label_set, at_sensor, _existing(text), labels)


def conditions(
    attacks: Sequence[str],
    *,
    norm: str,
    eps: str,
    snr: str,
    effort: Effort,
    surrogate: Path | None,
    corruptions: str,
    severities: str,
    checks: str,
    prompts: Sequence[str],
    edits: int,
    words: Path,
) -> Conditions:
    """What is done to the samples. Raises ConfigError for lists of numbers that are none."""
    return Conditions(
        attacks=tuple(attacks),
        norm=Norm(norm),
        eps=radii(eps) if eps else (),
        snr_db=ratios(snr) if snr else (),
        effort=effort,
        surrogate=_existing(surrogate),
        corruptions=tuple(filter(None, corruptions.split(","))),
        severities=_severities(severities),
        checks=radius(checks) if checks else None,
        prompts=tuple(prompts),
        edits=edits,
        words=words,
    )


def plan(
    subject: Path | None,
    name: str | None,
    modality: Sequence[str] | None,
    backend: str,
    *,
    about: Asked,
    under: Conditions,
    means: Means,
) -> Plan:
    """All of it together.

    Args:
        subject: a checkpoint or bundle; None is the embedded one.
        name: for tables; the folder's, if None.
        modality: the sense of a bundle.
        backend: of a bundle.
        about: what is asked.
        under: what is done to the samples.
        means: how it is computed.

    Raises:
        ConfigError: not one sense of a bundle.
    """
    if is_bundle(subject) and len(modality or ()) != 1:
        raise ConfigError("one sense a run", got=modality, fix="name it by --modality")
    title = name or ("embedded" if subject is None else subject.resolve().name)
    sense = Modality(modality[0]) if modality else None
    return Plan(title, subject, about, under, means, sense, backend)


def share(shard: str, processes: Processes) -> Share:
    """This process's part of the work of all machines.

    Args:
        shard: this machine's, such as `2/3` for the second of three.
        processes: of this machine.

    Raises:
        ConfigError: something else.
    """
    index, _, count = shard.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise ConfigError("no share of the work", got=shard, expected="such as 2/3, the second of three")
    return Share((int(index) - 1) * processes.count + processes.index, int(count) * processes.count)


def _severities(text: str) -> tuple[int, ...]:
    items = {item.strip() for item in text.split(",")}
    if not items <= set("12345"):
        raise ConfigError("no severities", got=text, expected="numbers from 1 to 5 such as 1,3,5")
    return tuple(sorted(map(int, items)))


def _existing(path: Path | None) -> Path | None:
    return None if path is None else existing(path)
