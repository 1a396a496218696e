# SPDX-License-Identifier: Apache-2.0
"""The robot's answers with and without the parts of COLA."""

from __future__ import annotations

from collections.abc import Mapping

from rvl_edge.refine import Cola, ColaSettings, Gate, top_margin, whole_space
from rvl_edge.types import FloatArray, Spent

PLAIN, PROJECTION, TRANSPORT = "no COLA", "projection only", "OT only"
COLA, GATED = "COLA", "COLA behind its gate"
DEFENCES = (PLAIN, PROJECTION, TRANSPORT, COLA, GATED)


class Defences:
    """The robot's answers with and without the parts of COLA.

    Args:
        prompts: (K, M, D) float32 of the classes.
        anchors: (K, D) float32, their means.
        scale: the encoder's inverse temperature.
        settings: COLA's.
        gate: of the gated defence; its probabilities are softmax(scale * cosine), and every sample is
            trusted.

    Attributes:
        cola, transport, projection: `Cola` whole, without its projection, and with that alone.
        gate: as above.
    """

    def __init__(
        self, prompts: FloatArray, anchors: FloatArray, scale: float, settings: ColaSettings, gate: Gate
    ) -> None:
        self.cola = Cola(prompts, logit_scale=scale, settings=settings)
        self.transport = Cola(
            prompts, logit_scale=scale, settings=settings, subspace=whole_space(anchors.shape[1])
        )
        self.projection = Cola(
            anchors[:, None], logit_scale=scale, settings=settings, subspace=self.cola.subspace
        )
        self._anchors = anchors
        self._scale = scale
        self.gate = gate

    def answers(self, views: FloatArray) -> tuple[Mapping[str, int], bool]:
        """What each defence says of a sample's views (N, D), and whether the gate opens."""
        plain, cola = int((self._anchors @ views[0]).argmax()), int(self.cola.scores(views).argmax())
        margin = top_margin(self._anchors @ views[0], self._scale)
        opens = self.gate.verdict(margin, trust=1.0) is not Spent.SPARED
        said = {
            PLAIN: plain,
            PROJECTION: int(self.projection.scores(views[:1]).argmax()),
            TRANSPORT: int(self.transport.scores(views).argmax()),
            COLA: cola,
            GATED: cola if opens else plain,
        }
        return said, opens
