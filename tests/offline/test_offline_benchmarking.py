# SPDX-License-Identifier: Apache-2.0
"""torch as a contender runs the checkpoint, in the precision that it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_cards import image_card, text_card

from rvl_edge.benchmarking import gemm
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.benchmarking import torch_contenders
from rvl_edge.offline.towers import Encoder, TextEncoder, open_checkpoint, save_checkpoint
from rvl_edge.types import Modality


def test_both_precisions_of_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(Encoder(image_card()), tmp_path)
    encoder = open_checkpoint(tmp_path)
    modality, (exact, rounded) = torch_contenders(tmp_path, threads=None)
    batch = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    with torch.inference_mode():
        wanted = encoder(torch.from_numpy(batch)).numpy()
    assert modality is Modality.IMAGE
    np.testing.assert_allclose(exact.load().run(batch), wanted, atol=1e-6)
    found = rounded.load().run(batch)
    assert 1e-5 < np.abs(found - wanted).max() < 5e-2
    assert "bfloat16" in rounded.load().description


def test_the_matrix_product_is_as_large_as_the_graphs(tmp_path: Path) -> None:
    save_checkpoint(Encoder(image_card()), tmp_path)
    _, (exact, _) = torch_contenders(tmp_path, threads=None)
    found = exact.load_gemm().run(gemm.gemm_input()[:4])
    assert found.shape == (4, gemm.DIM)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_text_tower_is_no_contender(tmp_path: Path) -> None:
    save_checkpoint(TextEncoder(text_card()), tmp_path)
    with pytest.raises(CheckpointError, match="no encoder of a sense"):
        torch_contenders(tmp_path, threads=None)
