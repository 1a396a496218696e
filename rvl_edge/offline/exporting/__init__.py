# SPDX-License-Identifier: Apache-2.0
"""Checkpoints -> ONNX graphs -> bundle, with a parity gate between them."""
