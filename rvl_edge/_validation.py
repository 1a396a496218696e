# SPDX-License-Identifier: Apache-2.0
"""pydantic's findings in one line."""

from __future__ import annotations

from pydantic import ValidationError

_MOST = 5


def complaints(error: ValidationError) -> str:
    """Each wrong field with the reason, the first five of them; what is there before what is missing."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    found.sort(key=lambda each: each["type"] == "missing")  # a mistyped name explains why another is missing
    lines = [f"{'.'.join(map(str, each['loc'])) or 'as a whole'}: {each['msg']}" for each in found[:_MOST]]
    return "; ".join(lines if len(found) <= _MOST else [*lines, f"and {len(found) - _MOST} more"])
