# SPDX-License-Identifier: Apache-2.0
"""The report card: what was measured of encoders, how, and what was not."""
