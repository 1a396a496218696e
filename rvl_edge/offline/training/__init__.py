# SPDX-License-Identifier: Apache-2.0
"""One training loop for all that is trained here: averaged weights, exact resumption, many processes."""
