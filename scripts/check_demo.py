# SPDX-License-Identifier: Apache-2.0
"""Check a demo's summary, `check_demo.py SUMMARY.json SECONDS`: every sense published, no frame was lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SENSES = {"image", "thermal", "audio", "video"}
CAMERA_HZ = 15
ARRIVED = 0.95  # of what 15 Hz makes in the given time; the rest is the replay's own start and timing


def main() -> int:
    """Print what is wrong, one line each; 1 if anything is."""
    summary: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    senses, frames = summary["senses"], CAMERA_HZ * float(sys.argv[2])
    wrong = list(summary["complaints"])
    wrong += [f"no row for {sense}" for sense in sorted(SENSES - senses.keys())]
    for name, sense in senses.items():
        if not sense["published"]:
            wrong.append(f"{name} published nothing")
        wrong += [f"{name}: {sense[fault]} {fault}" for fault in ("rejected", "failed") if sense[fault]]
    if not summary["scene"]["published"]:
        wrong.append("no scene was published")
    camera = senses.get("image", {"received": 0, "dropped": 0})
    if camera["dropped"]:
        wrong.append(f"image: {camera['dropped']} of {camera['received']} frames dropped")
    if camera["received"] < ARRIVED * frames:
        wrong.append(f"image: {camera['received']} frames arrived of about {frames:.0f}")
    print("\n".join(wrong) or f"every sense published; {camera['received']} camera frames, none dropped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
