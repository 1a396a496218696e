# SPDX-License-Identifier: Apache-2.0
"""Labelled sets: the shared archives and the official forms of CIFAR-10, ESC-10 and HIT-UAV."""
