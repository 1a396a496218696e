# SPDX-License-Identifier: Apache-2.0
"""Attackers who know what comes after the encoder."""
