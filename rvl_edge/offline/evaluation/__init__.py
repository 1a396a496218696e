# SPDX-License-Identifier: Apache-2.0
"""How well an encoder tells labelled samples apart: as it is, attacked, and with its sensor in trouble."""
