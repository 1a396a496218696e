# SPDX-License-Identifier: Apache-2.0
"""Recipe -> bundle: export each encoder, hold it against its checkpoint, write all or nothing."""

from __future__ import annotations

import gc
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.backends import Session, open_session
from rvl_edge.bundle.manifest import (
    SCHEMA_VERSION,
    GraphEntry,
    Manifest,
    SenseEntry,
    TextEntry,
    weights_path,
)
from rvl_edge.bundle.writing import BundleWriter, new_bundle
from rvl_edge.errors import ConfigError
from rvl_edge.offline.batches import in_batches
from rvl_edge.offline.datasets.labels import LabelSetFile, read_label_sets, read_templates
from rvl_edge.offline.exporting.comparing import Comparisons, kept_beside
from rvl_edge.offline.exporting.encoder import embed, parity_backends, write_graph
from rvl_edge.offline.exporting.material import Material, parity_material
from rvl_edge.offline.exporting.parity import Embedded, Parity, compare, require, worst_sample
from rvl_edge.offline.exporting.provenance import provenance
from rvl_edge.offline.exporting.recipe import ExportRecipe, read_recipe
from rvl_edge.offline.exporting.sources import check_sources
from rvl_edge.offline.exporting.vocabulary import bundled_label_sets, trained_phrases
from rvl_edge.offline.towers import Encoder, TextEncoder, open_checkpoint
from rvl_edge.offline.towers.checkpoint import open_text
from rvl_edge.offline.towers.folder_tokenizer import read_tokenizer
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.text import TextEncoder as TextRunner
from rvl_edge.text import Tokenizer, make_anchors
from rvl_edge.types import FloatArray, Modality

Step = Callable[[str, int, int, str], None]
"""Takes how far one graph is: its name, steps done, steps in all, and what comes next."""


@dataclass(frozen=True)
class ExportReport:
    """What an export made.

    Attributes:
        path: the bundle's folder.
        size: bytes of all its files.
        parity: for each graph ("image", ..., "text"), how close it is to its checkpoint on the runtime that
            robots use by default, or that can run it at all.
        others: the same on further runtimes, by their names.
        ignored: by checkpoint, keys of its files that take no part in an embedding.
        assumed: by checkpoint, what it lacks and a published value stands in for.
    """

    path: Path
    size: int
    parity: Mapping[str, Parity]
    others: Mapping[str, Mapping[str, Parity]]
    ignored: Mapping[str, tuple[str, ...]]
    assumed: Mapping[str, tuple[str, ...]]


def export_bundle(
    recipe_path: str | Path,
    out: str | Path | None = None,
    *,
    files: str | Path | None = None,
    on_step: Step | None = None,
) -> ExportReport:
    """Build the bundle that a recipe describes.

    The comparisons are kept beside it in `OUT.parity/`, with the worst sample of each, passed or not.

    Args:
        recipe_path: a YAML file such as `export/tiny.yaml`.
        out: folder to write instead of the recipe's.
        files: folder of real samples to compare on instead of the recipe's.
        on_step: is told how far it is.

    Raises:
        ConfigError: the recipe, label sets, templates or samples cannot be used together.
        CheckpointError: a checkpoint is not what the recipe takes it for.
        GateFailed: a graph disagrees with its checkpoint; what was in the folder before stays.
        BundleError: the folder holds something else, or cannot be written.
    """
    path = Path(recipe_path)
    recipe = read_recipe(path)
    if files is not None:
        parity = recipe.parity.model_copy(update={"files": Path(files)})
        recipe = recipe.model_copy(update={"parity": parity})
    target = (recipe.out if out is None else Path(out)).resolve()
    with new_bundle(target) as writer, kept_beside(target) as comparisons:
        exporter = _Exporter(recipe, writer, comparisons, on_step)
        manifest = exporter.export(hashlib.sha256(path.read_bytes()).hexdigest())
        writer.finish(manifest)
    (_, own), *others = comparisons.made.items()
    return ExportReport(
        path=target,
        size=sum(each.size for each in manifest.files()),
        parity=own,
        others=dict(others),
        ignored=exporter.sources.ignored,
        assumed=exporter.sources.assumed,
    )


class _Exporter:
    """One run of one recipe."""

    def __init__(
        self, recipe: ExportRecipe, writer: BundleWriter, comparisons: Comparisons, on_step: Step | None
    ) -> None:
        self._recipe = recipe
        self._writer = writer
        self._comparisons = comparisons
        self._on_step = on_step
        self._backends = parity_backends(recipe.precision)
        self._card = _read(recipe.model_card)
        self._sets = read_label_sets(recipe.labels)
        self._templates = read_templates(recipe.labels)
        for modality, sense in recipe.senses.items():
            _check_labels(modality, sense.label_set, self._sets, self._templates)
        self.sources = check_sources(recipe)
        cards = self.sources.cards
        self._dim = cards[next(iter(cards))].projection_dim
        random = np.random.default_rng(0)
        self._material = {
            modality: parity_material(card.preprocess, recipe.parity.samples, recipe.parity.files, random)
            for modality, card in cards.items()
        }
        # Of each sense: what its labels are in torch, and what they are in each runtime.
        self._anchors: dict[str, dict[Modality, FloatArray]] = {}

    def export(self, recipe_hash: str) -> Manifest:
        recipe = self._recipe
        text = self._text()  # the senses' labels are compared in it
        senses = {modality: self._sense(modality) for modality in recipe.senses}
        return Manifest(
            schema_version=SCHEMA_VERSION,
            name=recipe.name,
            version=recipe.version,
            embedding_dim=self._dim,
            senses=senses,
            text=text,
            label_sets=bundled_label_sets(self._sets, recipe.senses),
            concepts=trained_phrases(self._sets, recipe.senses),
            open_vocabulary=recipe.open_vocabulary,
            model_card=self._writer.add("MODEL_CARD.md", self._card),
            reports={"parity": self._writer.add("reports/parity.json", self._comparisons.report())},
            provenance=provenance(recipe, recipe_hash),
        )

    def _text(self) -> TextEntry:
        self._step("text", 0, "reading the checkpoint")
        encoder = open_text(self._recipe.text)
        content = read_tokenizer(self._recipe.text).encode()
        length = encoder.card.text_config.max_position_embeddings
        tokenizer = Tokenizer(content, length)
        prompts = _spread(self._sets, self._recipe.parity.samples)
        material = Material(tokenizer(prompts), "prompts of the label sets")
        ids = material.inputs
        wanted = Embedded(self._reference(encoder, ids, "text"))
        self._anchors["torch"] = self._make_anchors(_embedder(encoder, tokenizer))
        graph = self._written(encoder, ids, "text", "text/text.onnx")
        entry = TextEntry(
            **dict(graph),
            tokenizer=self._writer.add("text/tokenizer.json", content),
            context_length=length,
        )
        del encoder
        for backend, session in self._sessions(entry, "text"):
            found = Embedded(in_batches(session.run, ids))
            self._anchors[backend] = self._make_anchors(TextRunner(tokenizer, session))
            self._compare("text", backend, material, wanted, found)
        return entry

    def _sense(self, modality: Modality) -> SenseEntry:
        source, name = self._recipe.senses[modality], str(modality)
        graph, spec, scale = self._encoder(modality, source.checkpoint, name)
        sentinel = None
        if source.sentinel is not None:
            sentinel, _, _ = self._encoder(modality, source.sentinel, f"{name}-sentinel")
        return SenseEntry(
            **dict(graph),
            preprocess=spec,
            logit_scale=scale,
            templates=self._templates[modality],
            label_set=source.label_set,
            sentinel=sentinel,
        )

    def _encoder(
        self, modality: Modality, checkpoint: Path, name: str
    ) -> tuple[GraphEntry, PreprocessSpec, float]:
        """Its graph, held against the checkpoint, how it is fed, and its logit scale."""
        self._step(name, 0, "reading the checkpoint")
        encoder = open_checkpoint(checkpoint)
        assert isinstance(encoder, Encoder)  # `check_sources` saw its card
        material = self._material[modality]
        wanted = self._labelled(self._reference(encoder, material.inputs, name), modality, "torch")
        graph = self._written(encoder, material.inputs, name, f"graphs/{name}.onnx")
        spec, scale = encoder.card.preprocess, math.exp(encoder.logit_scale.item())
        del encoder
        for backend, session in self._sessions(graph, name):
            found = self._labelled(in_batches(session.run, material.inputs), modality, backend)
            self._compare(name, backend, material, wanted, found)
        return graph, spec, scale

    def _reference(self, encoder: Encoder | TextEncoder, inputs: npt.NDArray[Any], name: str) -> FloatArray:
        self._step(name, 1, f"{len(inputs)} samples by torch")
        return embed(encoder, inputs)

    def _written(
        self, encoder: Encoder | TextEncoder, inputs: npt.NDArray[Any], name: str, path: str
    ) -> GraphEntry:
        recipe, writer = self._recipe, self._writer
        self._step(name, 2, "exporting")
        outside = write_graph(
            encoder,
            inputs[:2],
            writer.path(path),
            precision=recipe.precision,
            weights=recipe.weights,
            opset=recipe.opset,
        )
        return GraphEntry(
            graph=writer.adopt(path),
            weights=writer.adopt(weights_path(path)) if outside else None,
            precision=recipe.precision,
        )

    def _sessions(self, entry: GraphEntry, name: str) -> Iterator[tuple[str, Session]]:
        """The written graph in each runtime, one at a time."""
        gc.collect()  # torch's exporter leaves cycles, which hold the checkpoint
        for backend in self._backends:
            self._step(name, 3 + self._backends.index(backend), f"the graph by {backend}")
            session = self._opened(entry, backend)
            try:
                yield backend, session
            finally:
                session.close()
        self._step(name, 3 + len(self._backends), "")

    def _opened(self, entry: GraphEntry, backend: str) -> Session:
        files = self._writer.load(entry)
        return open_session(
            files.graph, weights=files.weights, name=entry.graph.path, dim=self._dim, backend=backend
        )

    def _make_anchors(self, embed_texts: Callable[[Sequence[str]], FloatArray]) -> dict[Modality, FloatArray]:
        """Each sense's labels in its first template: enough to see a label change, and soon done."""
        return {
            modality: make_anchors(
                self._sets[sense.label_set].labels,
                self._templates[modality][:1],
                embed=embed_texts,
                trained=None,
                version=0,
            ).matrix
            for modality, sense in self._recipe.senses.items()
        }

    def _labelled(self, embeddings: FloatArray, modality: Modality, backend: str) -> Embedded:
        return Embedded(embeddings, (embeddings @ self._anchors[backend][modality].T).argmax(axis=1))

    def _compare(
        self,
        name: str,
        backend: str,
        material: Material,
        wanted: Embedded,
        found: Embedded,
    ) -> None:
        recipe = self._recipe
        parity = compare(
            wanted,
            found,
            recipe.parity.thresholds(recipe.precision),
            backend=backend,
            precision=recipe.precision,
            source=material.source,
        )
        self._comparisons.add(name, parity, worst_sample(parity, material.inputs, wanted, found))
        require(parity, name)

    def _step(self, name: str, done: int, note: str) -> None:
        if self._on_step is not None:
            self._on_step(name, done, 3 + len(self._backends), note)


def _check_labels(
    modality: Modality,
    name: str,
    sets: Mapping[str, LabelSetFile],
    templates: Mapping[Modality, tuple[str, ...]],
) -> None:
    usable = [own.name for own in sets.values() if modality in own.modalities]
    if name not in usable:
        raise ConfigError(f"no label set of {modality}", got=name, expected=" or ".join(usable))
    if modality not in templates:
        raise ConfigError("no templates for a sense", got=modality, expected=", ".join(templates))


def _spread(sets: Mapping[str, LabelSetFile], count: int) -> list[str]:
    """Phrases from all over the label sets."""
    phrases = [
        phrase
        for own in sets.values()
        for label in own.concepts
        for phrase in (label, f"a photo of a {label}")
    ]
    return [phrases[int(at)] for at in np.linspace(0, len(phrases) - 1, count)]


def _embedder(encoder: TextEncoder, tokenizer: Tokenizer) -> Callable[[Sequence[str]], FloatArray]:
    return lambda texts: embed(encoder, tokenizer(texts))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError("a file that the recipe names cannot be read", got=error) from None
