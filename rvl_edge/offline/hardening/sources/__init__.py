# SPDX-License-Identifier: Apache-2.0
"""Where training samples come from: the labelled sets, folders of pictures, shards that stream."""
