# SPDX-License-Identifier: Apache-2.0
"""Checkpoints from the Hugging Face hub: pinned to a commit, resumed after a kill, held against their hashes.

Nothing here imports torch. What asks the hub imports `huggingface_hub`; the rest does without.
"""
