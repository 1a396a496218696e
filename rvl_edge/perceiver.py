# SPDX-License-Identifier: Apache-2.0
"""Perceiver: a sensor's sample in, an embedding and ranked labels out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rvl_edge._encoder import SenseEncoder, load_graph
from rvl_edge._judging import Judge
from rvl_edge._perceiving import RawSample, Sense
from rvl_edge._refiner import Refiner
from rvl_edge._trusting import Truster, plain_encoders
from rvl_edge.backends import DEFAULT_BACKEND
from rvl_edge.backends.opening import check_backend
from rvl_edge.backends.session import check_embedding
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.errors import ConfigError
from rvl_edge.preprocess import (
    DepthUnit,
    ThermalUnit,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, PreprocessSpec, ThermalSpec, VideoSpec
from rvl_edge.refine import ColaSettings, PromptSet
from rvl_edge.text import Anchors, LabelBank, TextEncoder, Tokenizer, Vocabulary
from rvl_edge.text.prompts import checked_texts
from rvl_edge.types import FloatArray, Label, Modality, Perception

_Spec = TypeVar("_Spec", ImageSpec, ThermalSpec, DepthSpec, AudioSpec, VideoSpec)


class Perceiver:
    """The encoders of one bundle, their text anchors, and the steps between.

    Every method may be called from any thread; each sense runs one inference at a time. A sense's graph is
    loaded when it is first needed, so one that cannot be loaded does not stop the others. Use it as a
    context manager, or `close` it.

    Args:
        bundle: an opened bundle.
        modalities: the senses to use; None is all that the bundle has.
        threads: threads an inference uses; None lets the runtime choose.
        cola: as `set_cola`.
        monitors: whether to judge how far each perception can be trusted.
        sentinel: whether to run the encoders as they were before they were hardened, too, and to distrust
            what they disagree about; costs an encoder's time more.
        backend: the runtime; see `open_session`.

    Raises:
        ConfigError: a sense that the bundle does not have, COLA cannot be used with it, no such backend, or
            the bundle has no sentinels.
        MissingDependency: the backend's package is not installed.
        BackendError: the text tower cannot be loaded or run.
        CalibrationStale: the calibration of a sense in use was fitted on other graphs.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        modalities: Iterable[Modality | str] | None = None,
        threads: int | None = None,
        cola: bool | ColaSettings = False,
        monitors: bool = True,
        sentinel: bool = False,
        backend: str = DEFAULT_BACKEND,
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigError("wrong number of threads", got=threads, expected="1 or more")
        check_backend(backend)
        manifest = bundle.manifest
        wanted = list(manifest.senses) if modalities is None else [_modality(each) for each in modalities]
        manifest.check_senses(wanted)
        if not wanted:
            raise ConfigError("no sense was asked for", fix="name one that the bundle has, or none for all")
        self.bundle = bundle
        self._judge = Judge(bundle, wanted)
        self._encoders = {each: SenseEncoder(bundle, each, threads, backend) for each in wanted}
        self._sentinels = plain_encoders(bundle, wanted, threads, backend)
        text = manifest.text
        self._text = TextEncoder(
            Tokenizer(bundle.read(text.tokenizer), text.context_length),
            load_graph(bundle, text, threads, backend),
        )
        try:
            self._bank = LabelBank({each: Vocabulary.of(manifest, each) for each in wanted}, self._text)
            self._open_truster = partial(Truster, bundle, self._bank.current)
            self._truster: Truster | None = None
            self.set_monitors(monitors, sentinel=sentinel)
            self._refiner: Refiner | None = None
            self.set_cola(cola)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        modalities: Iterable[Modality | str] | None = None,
        threads: int | None = None,
        cola: bool | ColaSettings = False,
        monitors: bool = True,
        sentinel: bool = False,
        backend: str = DEFAULT_BACKEND,
        trusted: Sequence[str | Path] | None = None,
    ) -> Perceiver:
        """Open a bundle and use it; None is the bundle embedded in the package.

        `trusted` is as in `Bundle.open`, everything else as in the constructor.

        Raises:
            BundleError: the bundle cannot be trusted or read (see `Bundle.open`).
            ConfigError, MissingDependency, BackendError: as the constructor.
        """
        bundle = Bundle.open(path, trusted=trusted)
        return cls(
            bundle,
            modalities=modalities,
            threads=threads,
            cola=cola,
            monitors=monitors,
            sentinel=sentinel,
            backend=backend,
        )

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The senses in use."""
        return tuple(self._encoders)

    def image(self, rgb: npt.NDArray[np.uint8]) -> Perception:
        """Perceive a colour picture; see `preprocess_image` for what is accepted."""
        spec = self._spec(Modality.IMAGE, ImageSpec)
        return self._perceive(Modality.IMAGE, rgb, lambda: preprocess_image(rgb, spec))

    def thermal(self, counts: npt.NDArray[Any], *, unit: ThermalUnit | str | None = None) -> Perception:
        """Perceive a thermal picture; see `preprocess_thermal` for what is accepted."""
        spec = self._spec(Modality.THERMAL, ThermalSpec)
        return self._perceive(Modality.THERMAL, counts, lambda: preprocess_thermal(counts, spec, unit=unit))

    def depth(self, depth: npt.NDArray[Any], *, unit: DepthUnit | str | None = None) -> Perception:
        """Perceive a depth picture; see `preprocess_depth` for what is accepted."""
        spec = self._spec(Modality.DEPTH, DepthSpec)
        return self._perceive(Modality.DEPTH, depth, lambda: preprocess_depth(depth, spec, unit=unit))

    def audio(self, pcm: npt.NDArray[Any], *, sample_rate: float) -> Perception:
        """Perceive a sound; see `preprocess_audio` for what is accepted."""
        spec = self._spec(Modality.AUDIO, AudioSpec)
        return self._perceive(
            Modality.AUDIO, pcm, lambda: preprocess_audio(pcm, spec, sample_rate=sample_rate)
        )

    def video(
        self,
        frames: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
        stamps: Sequence[float] | npt.NDArray[np.float64] | None = None,
    ) -> Perception:
        """Perceive a clip; see `preprocess_video` for what is accepted."""
        spec = self._spec(Modality.VIDEO, VideoSpec)
        return self._perceive(Modality.VIDEO, frames, lambda: preprocess_video(frames, spec, stamps=stamps))

    def encode_batch(self, modality: Modality | str, inputs: FloatArray) -> FloatArray:
        """Encode samples that are preprocessed already.

        Args:
            modality: the sense.
            inputs: (B, ...) float32, each as the sense's `preprocess_...` returns it.

        Returns:
            (B, D) float32, rows of unit norm.
        """
        return self._encoder(modality).encode(inputs)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Embed any texts, as they are, without templates; returns (N, D) float32, rows of unit norm.

        Raises:
            ConfigError: an empty or unprintable text.
        """
        return self._text(checked_texts(texts))

    def set_labels(
        self,
        labels: Sequence[str],
        modality: Modality | str | None = None,
        templates: Sequence[str] | None = None,
    ) -> int:
        """Rank by other labels from now on: any text, embedded first and then put in force at once.

        Args:
            labels: 1 to 10,000 different names.
            modality: the sense they are for; None is every sense in use.
            templates: prompts with one {} each; None takes each sense's own. 100,000 prompts at most.

        Returns:
            The version that later perceptions carry, unless other labels were asked for meanwhile.

        Raises:
            ConfigError: labels or templates that cannot be used; the old ones stay in force.

        Warns:
            UntrainedLabelWarning: labels beyond what a sense was trained on (also in
            `anchors(...).untrained`).
        """
        senses = self.modalities if modality is None else (self._encoder(modality).modality,)
        version = self._bank.replace(labels, senses, templates)
        self._prepare(self._refiner)
        return version

    @property
    def cola(self) -> ColaSettings | None:
        """The settings in force, or None while COLA is off."""
        refiner = self._refiner
        return None if refiner is None else refiner.settings

    def set_cola(
        self, cola: bool | ColaSettings, prompts: Mapping[Modality, PromptSet] | None = None
    ) -> None:
        """Rank by COLA from the next perception on, or no longer.

        COLA encodes several views of a sample in one batch, which takes the encoder about as many times as
        long, and ranks labels by optimal transport between the views and each label's prompts. The settings
        may give it a budget, and a gate that spares it the samples whose first view is sure; what a sample
        got is in its `Perception.refinement`. Probabilities
        are then softmax(logit_scale * score / temperature), with a temperature of COLA's own where the bundle
        was calibrated for these settings; elsewhere they are sharper than the plain ones and no better
        calibrated. The embedding stays the sample's own. What an attacker who knows of COLA can do is in
        docs/cola.md.

        Args:
            cola: whether to use it, or the settings to use it with; True takes the defaults.
            prompts: descriptions by sense, for the label sets that they cover whole; all others use their
                templates.

        Raises:
            ConfigError: COLA cannot be used with a sense's logit scale or labels; nothing is changed then.
        """
        refiner = None
        if cola:
            settings = cola if isinstance(cola, ColaSettings) else ColaSettings()
            scales = {modality: encoder.entry.logit_scale for modality, encoder in self._encoders.items()}
            refiner = Refiner(settings, scales, prompts or {}, self._text)
        self._prepare(refiner)
        self._refiner = refiner

    def set_monitors(self, monitors: bool = True, *, sentinel: bool = False) -> None:
        """Judge how far perceptions can be trusted from the next one on, or no longer.

        What monitors remember, such as the last frame, begins anew. Plain encoders stay loaded until `close`,
        so that they can be switched off and on.

        Args:
            monitors: whether to judge.
            sentinel: whether to run the plain encoders too; see the constructor. One that is not loaded yet
                holds up the next sample of its sense; see `warm_up_sentinel`.

        Raises:
            ConfigError: the bundle has no sentinels, or there are to be no monitors that listen to them.
            BundleError: the calibration of a sense is stale.
        """
        if sentinel and not monitors:
            raise ConfigError("a sentinel is asked for without monitors", fix="switch the monitors on")
        if sentinel and not self._sentinels:
            raise ConfigError(
                f"bundle {self.bundle.manifest.name} has no sentinel",
                fix="name the plain checkpoints as `sentinel` in its recipe and export it again",
            )
        self._truster = self._open_truster(self._sentinels if sentinel else {}) if monitors else None

    def monitors(self, modality: Modality | str) -> tuple[str, ...]:
        """Names of the monitors that judge a sense; rules alone if it was not calibrated, none while off."""
        truster = self._truster
        return () if truster is None else truster.names(self._encoder(modality).modality)

    def labels(self, modality: Modality | str) -> tuple[str, ...]:
        """The label set in force for a sense."""
        return self.anchors(modality).labels

    def anchors(self, modality: Modality | str) -> Anchors:
        """The label set in force for a sense, with version, embeddings and untrained labels."""
        return self._bank.current[self._encoder(modality).modality]

    def confidence(self, modality: Modality | str) -> ConfidenceEntry | None:
        """The temperature and thresholds in force for a sense.

        None where the bundle was not calibrated for its labels, templates and ranking: then probabilities are
        at temperature 1, the decision is the first label, and no label is called plausible.
        """
        sense = self._encoder(modality).modality
        return self._judge.entry(sense, self.anchors(sense), self._refiner)

    def ranking(self, modality: Modality | str) -> str:
        """How a sense's labels are ranked, in the words that a calibration names it by."""
        anchors = self.anchors(modality)
        return self._judge.ranking(self._encoder(modality).modality, anchors, self._refiner)

    def classify(self, modality: Modality | str, embedding: FloatArray) -> tuple[Label, ...]:
        """Rank the labels in force for an embedding of this sense.

        Args:
            modality: the sense whose labels, logit scale and temperature of the plain ranking to use.
            embedding: (D,) float32, unit norm.

        Returns:
            Every label by falling probability; they sum to 1.

        Raises:
            BadDtype, BadShape, NonFinite: it is no embedding of this bundle.
        """
        check_embedding(embedding, self.bundle.manifest.embedding_dim)
        encoder, anchors = self._encoder(modality), self.anchors(modality)
        fitted = self._judge.entry(encoder.modality, anchors, None)
        return anchors.rank(embedding, self._judge.sharpness(encoder.modality, fitted))

    def warm_up(self, modality: Modality | str | None = None) -> None:
        """Load and run once what later calls need, for one sense or for all.

        Raises:
            BackendError: a graph cannot be loaded or run; senses already warmed up stay usable.
        """
        truster = self._truster
        for each in self.modalities if modality is None else (modality,):
            self._encoder(each).warm_up()
            if truster is not None:
                truster.warm_up(_modality(each))

    def warm_up_sentinel(self, modality: Modality | str) -> None:
        """Load and run once a sense's plain encoder, if it has one, before `set_monitors` switches it on.

        Raises:
            BackendError: it cannot be loaded or run.
        """
        sense = self._encoder(modality).modality
        if sense in self._sentinels:
            self._sentinels[sense].warm_up()

    def close(self) -> None:
        """Free all graphs; waits for inferences in progress. Closing twice is fine."""
        for encoder in (*self._encoders.values(), *self._sentinels.values()):
            encoder.close()
        self._text.close()

    def __enter__(self) -> Perceiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perceive(
        self, modality: Modality, sample: RawSample, preprocess: Callable[[], FloatArray]
    ) -> Perception:
        anchors = self._bank.current[modality]
        sense = Sense(self._encoders[modality], anchors, self._judge, self._refiner, self._truster)
        return sense.perceive(sample, preprocess)

    def _prepare(self, refiner: Refiner | None) -> None:
        """Let no perception wait for what COLA computes once a label set."""
        if refiner is not None:
            for modality, anchors in self._bank.current.items():
                refiner.prepare(modality, anchors)

    def _encoder(self, modality: Modality | str) -> SenseEncoder:
        encoder = self._encoders.get(_modality(modality))
        if encoder is None:
            raise ConfigError(
                "this sense is not in use",
                got=str(modality),
                expected=", ".join(self._encoders),
                fix="open the Perceiver with it, or use a bundle that has it",
            )
        return encoder

    def _spec(self, modality: Modality, kind: type[_Spec]) -> _Spec:
        spec: PreprocessSpec = self._encoder(modality).entry.preprocess
        assert isinstance(spec, kind)  # the manifest's validation holds sense and kind together
        return spec


def _modality(name: Modality | str) -> Modality:
    try:
        return Modality(name)
    except ValueError:
        raise ConfigError("unknown sense", got=repr(name), expected=", ".join(Modality)) from None
