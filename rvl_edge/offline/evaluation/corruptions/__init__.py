# SPDX-License-Identifier: Apache-2.0
"""What sensors and weather do to samples, in five severities, without anyone meaning harm."""

from rvl_edge.offline.evaluation.corruptions.corrupt import SEVERITIES, corrupt, corruptions_of

__all__ = ["SEVERITIES", "corrupt", "corruptions_of"]
