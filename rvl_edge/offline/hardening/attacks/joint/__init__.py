# SPDX-License-Identifier: Apache-2.0
"""Attacks on a sample and its texts at once."""
