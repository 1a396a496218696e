# SPDX-License-Identifier: Apache-2.0
"""Which numbers the code computes for a sample, so that thresholds fitted on other numbers are noticed.

A calibration holds thresholds on what monitors measure and on how labels are scored. Whoever changes what one
of them says of the same sample raises its revision here, and every calibration fitted before is stale.
tests/trust/test_revisions.py fails where the numbers change and the revision does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REVISIONS: Final[Mapping[str, int]] = {
    # rankings
    "plain": 1,
    "cola": 1,
    # monitors of what the sensor sends
    "exposure": 1,
    "contrast": 1,
    "blur": 1,
    "noise": 1,
    "clipped": 1,
    "dead-pixels": 1,
    "stuck-lines": 1,
    "saturated": 1,
    "level": 1,
    "clipping": 1,
    "drop-outs": 1,
    "direct-current": 1,
    "hiss": 1,
    # monitors of what the encoder makes of it
    "embedding-distance": 1,
    "subspace-energy": 1,
    "view-disagreement": 1,
    "sentinel": 1,
}
"""By the monitor's name, or the first word of the ranking's."""
