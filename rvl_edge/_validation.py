# SPDX-License-Identifier: Apache-2.0
"""pydantic's findings in one line."""

from __future__ import annotations

from pydantic import ValidationError


def complaints(error: ValidationError, most: int = 5) -> str:
    """Each field that is wrong, with the reason, up to `most` of them."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, each['loc'])) or 'as a whole'}: {each['msg']}" for each in found[:most]]
    return "; ".join(lines if len(found) <= most else [*lines, f"and {len(found) - most} more"])
