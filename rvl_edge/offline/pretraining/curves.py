# SPDX-License-Identifier: Apache-2.0
"""Loss and accuracy of a run as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from rvl_edge.offline.training.journal import EpochMetrics


def draw_curves(stages: Mapping[str, Sequence[EpochMetrics]]) -> bytes:
    """Loss and validation accuracy over the passes, one column a stage, as a PNG.

    Args:
        stages: metrics of each stage, by the name of its sense; at least one.
    """
    figure = Figure(figsize=(3.2 * len(stages), 5), layout="constrained")
    columns = figure.subplots(2, len(stages), squeeze=False, sharex="col").T
    for (losses, accuracies), (sense, metrics) in zip(columns, stages.items(), strict=True):
        passes = [each.epoch for each in metrics]
        losses.plot(passes, [each.loss for each in metrics], marker=".")
        losses.set_title(sense)
        for name in metrics[0].accuracy:
            accuracies.plot(passes, [each.accuracy[name] for each in metrics], marker=".", label=name)
        accuracies.set_ylim(0, 1)
        accuracies.set_xlabel("pass")
        accuracies.legend(loc="lower right", fontsize=8)
    columns[0][0].set_ylabel("loss")
    columns[0][1].set_ylabel("accuracy, validation part")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90)
    return content.getvalue()
