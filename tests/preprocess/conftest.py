# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def torchaudio(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An oracle. It refuses to load beside another CUDA build; only its code for CPUs is used."""
    torch = pytest.importorskip("torch", reason="torchaudio is the oracle")
    monkeypatch.setattr(torch.version, "cuda", None)
    unusable = (ImportError, RuntimeError, OSError)
    pytest.importorskip("torchaudio.compliance.kaldi", exc_type=unusable)
    return pytest.importorskip("torchaudio", exc_type=unusable)
