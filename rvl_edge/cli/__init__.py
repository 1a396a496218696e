# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge VERB`: one verb a file, each with `--json`.

Exit codes: 0 fine, 1 a check or gate failed, 2 wrong usage or input, 3 the environment lacks something.
"""
