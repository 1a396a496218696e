# SPDX-License-Identifier: Apache-2.0
"""Everything that needs torch: towers, training, evaluation, export. Nothing outside imports it."""
