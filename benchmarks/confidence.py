# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/confidence.md, from what a calibration measured.

rvl-edge calibrate confidence BUNDLE --data DATA --json > confidence.json
python benchmarks/confidence.py confidence.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

CALIBRATION = ("sense, label set", "temperature", "ECE at T = 1", "ECE calibrated", "log loss", "samples")
PROMISES = (
    "sense, label set",
    "answered",
    "of them right",
    "of all right",
    "truth plausible",
    "plausible labels",
)
UNKNOWNS = ("sense, label set", "AUROC", "called `unknown`", "known ones answered")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    outcomes = json.loads(parser.parse_args().results.read_text())["outcomes"]
    show(CALIBRATION, [calibration(each) for each in outcomes])
    show(PROMISES, [promises(each) for each in outcomes])
    show(UNKNOWNS, [unknowns(each) for each in outcomes if each["measured"]["unknowns"]])


def calibration(outcome: dict[str, Any]) -> tuple[str, ...]:
    measured = outcome["measured"]
    before, after = measured["before"], measured["after"]
    losses = f"{before['log_loss']['value']:.3f} to {after['log_loss']['value']:.3f}"
    count = f"{outcome['entry']['samples']}, {measured['accuracy']['trials']}"
    return (
        name(outcome),
        f"{outcome['entry']['temperature']:.2f}",
        share(before["width"]),
        share(after["width"]),
        losses,
        count,
    )


def promises(outcome: dict[str, Any]) -> tuple[str, ...]:
    measured = outcome["measured"]
    size = measured["set_size"]
    return (
        name(outcome),
        share(measured["answered"]),
        share(measured["accuracy_answered"]) if measured["accuracy_answered"] else "",
        share(measured["accuracy"]),
        share(measured["covered"]),
        f"{size['value']:.2f} [{size['low']:.2f}, {size['high']:.2f}] of {len(outcome['entry']['labels'])}",
    )


def unknowns(outcome: dict[str, Any]) -> tuple[str, ...]:
    found = outcome["measured"]["unknowns"]
    area = found["mean_auroc"]
    return (
        name(outcome),
        f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]",
        share(found["detected"]),
        share(found["answered"]),
    )


def name(outcome: dict[str, Any]) -> str:
    entry = outcome["entry"]
    cola = ", COLA" if entry["ranking"].startswith("cola") else ""
    return f"{outcome['modality']}, {entry['label_set']}{cola}"


def share(interval: dict[str, float]) -> str:
    """A proportion with its 95 % interval."""
    return f"{interval['value']:.1%} [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"


def show(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows), end="\n\n")


if __name__ == "__main__":
    main()
