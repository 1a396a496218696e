# SPDX-License-Identifier: Apache-2.0
"""Attacks on texts: words that are replaced, characters that are mistyped."""
