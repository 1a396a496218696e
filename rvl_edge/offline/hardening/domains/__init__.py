# SPDX-License-Identifier: Apache-2.0
"""What an attacker may change: a sensor's samples scaled to [0, 1], and their way into the encoder.

Perturbations live where the sensor's numbers are, before normalisation, so that an epsilon means the same for
every encoder. `model_input` is differentiable and equal to what `rvl_edge.preprocess` does on the robot. One
group of domains is next to the encoder, at its resolution (`domain_of`); the other is at the sensor itself,
before any resizing, range or filter bank.
"""

from rvl_edge.offline.hardening.domains.encoder_side import FilterBank, Grey, Pixels, domain_of
from rvl_edge.offline.hardening.domains.interface import Domain
from rvl_edge.offline.hardening.domains.native import Camera, DepthCamera, ThermalCamera
from rvl_edge.offline.hardening.domains.waveform import Waveform

__all__ = [
    "Camera",
    "DepthCamera",
    "Domain",
    "FilterBank",
    "Grey",
    "Pixels",
    "ThermalCamera",
    "Waveform",
    "domain_of",
]
