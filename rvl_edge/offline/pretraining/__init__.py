# SPDX-License-Identifier: Apache-2.0
"""Training the encoders from labelled samples and captions."""
