# SPDX-License-Identifier: Apache-2.0
"""How well a bundle, or a training run, tells the labelled sets apart."""
