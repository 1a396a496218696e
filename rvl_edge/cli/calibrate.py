# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge calibrate WHAT`: fit what a bundle needs to know of real samples."""

from __future__ import annotations

import typer

from rvl_edge.cli import calibrate_collect, calibrate_confidence, calibrate_monitors

app = typer.Typer(no_args_is_help=True, help="Fit a bundle's confidence and monitors on real samples.")
for verb in (calibrate_confidence, calibrate_monitors, calibrate_collect):
    app.command(name=verb.__name__.rpartition("_")[2])(verb.run)
