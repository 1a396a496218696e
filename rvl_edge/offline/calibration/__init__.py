# SPDX-License-Identifier: Apache-2.0
"""Fitting what a bundle needs to know of real samples, through the path that the robot takes."""
