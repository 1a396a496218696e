# SPDX-License-Identifier: Apache-2.0
"""COLA against whatever labels are in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256

from rvl_edge.refine import Cola, ColaSettings, PromptSet, frame_seed, make_views
from rvl_edge.text import Anchors
from rvl_edge.types import FloatArray, Modality


class Refiner:
    """Views of a sample, and scores of their embeddings, for every sense.

    Calls may come from any thread.

    Args:
        settings: COLA's numbers.
        logit_scales: of each sense.
        prompts: descriptions for the label sets that they cover whole; others, and all where it is None, are
            aligned with their anchors' own prompts.
        embed: texts -> (N, D) float32 of unit norm.
    """

    def __init__(
        self,
        settings: ColaSettings,
        logit_scales: Mapping[Modality, float],
        prompts: PromptSet | None,
        embed: Callable[[Sequence[str]], FloatArray],
    ) -> None:
        self.settings = settings
        self._logit_scales = logit_scales
        self._prompts = prompts
        self._embed = embed
        self._prepared: dict[Modality, tuple[Anchors, Cola]] = {}

    def ranking(self, anchors: Anchors) -> str:
        """How these labels are ranked, in words; a calibration holds for rankings of the same words."""
        numbers = [f"{name}={value}" for name, value in asdict(self.settings).items()]
        described = None if self._prompts is None else self._prompts.select(anchors.labels)
        if described is not None:
            numbers.append(f"prompts={sha256(repr(described).encode()).hexdigest()[:16]}")
        return " ".join(["cola", *numbers])

    def prepare(self, modality: Modality, anchors: Anchors) -> Cola:
        """Compute what depends on the labels alone, unless that is done; kept until other anchors come.

        Raises:
            ConfigError: COLA cannot be used with this sense's logit scale or these prompts.
        """
        anchored, cola = self._prepared.get(modality, (None, None))
        if cola is None or anchored is not anchors:
            cola = Cola(
                self._texts(anchors), logit_scale=self._logit_scales[modality], settings=self.settings
            )
            self._prepared[modality] = (anchors, cola)
        return cola

    def views(self, modality: Modality, inputs: FloatArray) -> FloatArray:
        """A model input and its variations, (N, *inputs.shape); the same input gives the same ones."""
        return make_views(inputs, modality, self.settings.views, frame_seed(inputs))

    def scores(self, modality: Modality, anchors: Anchors, embeddings: FloatArray) -> FloatArray:
        """Score the anchors' labels for the views' embeddings, (N, D) -> (K,); see `Cola.scores`."""
        return self.prepare(modality, anchors).scores(embeddings)

    def _texts(self, anchors: Anchors) -> FloatArray:
        described = None if self._prompts is None else self._prompts.select(anchors.labels)
        if described is None:
            return anchors.prompts
        flat = [text for texts in described for text in texts]
        return self._embed(flat).reshape(len(described), len(described[0]), -1)
