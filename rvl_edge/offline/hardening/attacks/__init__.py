# SPDX-License-Identifier: Apache-2.0
"""Attacks on a sensor's own samples in [0, 1], before any normalisation."""
