# SPDX-License-Identifier: Apache-2.0
"""Encoders made robust: attacks, objectives that train against them, and the trainer."""
