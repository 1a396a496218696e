# SPDX-License-Identifier: Apache-2.0
"""Recipe -> bundle: export each encoder, hold it against its checkpoint, write all or nothing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import torch

from rvl_edge.bundle.manifest import SCHEMA_VERSION, FileRef, Manifest, SenseEntry, TextEntry
from rvl_edge.bundle.writing import BundleWriter, new_bundle
from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.datasets.labels import LabelSetFile, read_label_sets, read_templates
from rvl_edge.offline.exporting.encoder import export_encoder
from rvl_edge.offline.exporting.parity import Parity, require
from rvl_edge.offline.exporting.recipe import ExportRecipe, read_recipe
from rvl_edge.offline.exporting.samples import model_input
from rvl_edge.offline.exporting.vocabulary import bundled_label_sets, trained_phrases
from rvl_edge.offline.towers import Encoder, TextEncoder, open_checkpoint
from rvl_edge.offline.towers.checkpoint import TOKENIZER_NAME, WEIGHTS_NAME
from rvl_edge.text import Tokenizer
from rvl_edge.types import Modality

_Kind = TypeVar("_Kind", Encoder, TextEncoder)


@dataclass(frozen=True)
class ExportReport:
    """What an export made.

    Attributes:
        path: the bundle's folder.
        size: bytes of all its files.
        parity: for each graph ("image", ..., "text"), how close it is to its checkpoint.
    """

    path: Path
    size: int
    parity: Mapping[str, Parity]


def export_bundle(recipe_path: str | Path, out: str | Path | None = None) -> ExportReport:
    """Build the bundle that a recipe describes.

    Args:
        recipe_path: a YAML file such as `export/tiny.yaml`.
        out: folder to write instead of the recipe's.

    Raises:
        ConfigError: the recipe, label sets or templates cannot be used together.
        CheckpointError: a checkpoint is not what the recipe takes it for.
        GateFailed: a graph disagrees with its checkpoint; what was in the folder before stays.
    """
    path = Path(recipe_path)
    recipe = read_recipe(path)
    target = (recipe.out if out is None else Path(out)).resolve()
    with new_bundle(target) as writer:
        manifest, parity = _Exporter(recipe, writer).export(hashlib.sha256(path.read_bytes()).hexdigest())
        writer.finish(manifest)
    return ExportReport(target, sum(each.size for each in manifest.files()), parity)


class _Exporter:
    """One run of one recipe."""

    def __init__(self, recipe: ExportRecipe, writer: BundleWriter) -> None:
        self._recipe = recipe
        self._writer = writer
        self._random = np.random.default_rng(0)
        self._card = _read(recipe.model_card)
        self._sets = read_label_sets(recipe.labels)
        self._templates = read_templates(recipe.labels)
        self._parity: dict[str, Parity] = {}
        for modality, sense in recipe.senses.items():
            _check_labels(modality, sense.label_set, self._sets, self._templates)

    def export(self, recipe_hash: str) -> tuple[Manifest, Mapping[str, Parity]]:
        recipe = self._recipe
        text = _opened(recipe.text, TextEncoder)
        dim = text.card.projection_dim
        entry = self._text(text)  # the quickest to fail
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            name=recipe.name,
            version=recipe.version,
            embedding_dim=dim,
            senses={modality: self._sense(modality, dim) for modality in recipe.senses},
            text=entry,
            label_sets=bundled_label_sets(self._sets, recipe.senses),
            concepts=trained_phrases(self._sets, recipe.senses),
            model_card=self._writer.add("MODEL_CARD.md", self._card),
            provenance=self._provenance(recipe_hash),
        )
        return manifest, self._parity

    def _sense(self, modality: Modality, dim: int) -> SenseEntry:
        source = self._recipe.senses[modality]
        encoder = _opened(source.checkpoint, Encoder)
        card = encoder.card
        if card.modality is not modality or card.projection_dim != dim:
            raise CheckpointError(
                f"{source.checkpoint} is no {modality} encoder of this bundle",
                got=f"{card.modality}, embedding size {card.projection_dim}",
                expected=f"{modality}, embedding size {dim}",
            )
        count = self._recipe.parity.samples
        inputs = np.stack([model_input(card.preprocess, self._random) for _ in range(count)])
        return SenseEntry(
            graph=self._graph(encoder, inputs, str(modality), f"graphs/{modality}.onnx"),
            preprocess=card.preprocess,
            logit_scale=math.exp(encoder.logit_scale.item()),
            templates=self._templates[modality],
            label_set=source.label_set,
        )

    def _text(self, encoder: TextEncoder) -> TextEntry:
        config = encoder.card.text_config
        content = _read(self._recipe.text / TOKENIZER_NAME)
        tokenizer = Tokenizer(content, config.max_position_embeddings)
        ids = tokenizer(_spread(self._sets, self._recipe.parity.samples))
        if ids.max() != config.vocab_size - 1:
            raise CheckpointError(
                "text tower and tokenizer do not belong together",
                got=f"a tokenizer that ends texts with id {ids.max()}",
                expected=f"the vocabulary's last id, {config.vocab_size - 1}",
            )
        return TextEntry(
            graph=self._graph(encoder, ids, "text", "text/text.onnx"),
            tokenizer=self._writer.add("text/tokenizer.json", content),
            context_length=config.max_position_embeddings,
        )

    def _graph(
        self, encoder: Encoder | TextEncoder, inputs: np.typing.NDArray[np.generic], name: str, path: str
    ) -> FileRef:
        recipe, gate = self._recipe, self._recipe.parity
        graph, parity = export_encoder(encoder, inputs, name=name, weights=recipe.weights, opset=recipe.opset)
        require(parity, name, cosine_min=gate.cosine_min, max_abs=gate.max_abs)
        self._parity[name] = parity
        return self._writer.add(path, graph)

    def _provenance(self, recipe_hash: str) -> dict[str, str]:
        folders = {str(modality): sense.checkpoint for modality, sense in self._recipe.senses.items()}
        folders["text"] = self._recipe.text
        return {
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "recipe sha256": recipe_hash,
            **{
                f"{name} checkpoint sha256": hashlib.sha256(_read(folder / WEIGHTS_NAME)).hexdigest()
                for name, folder in folders.items()
            },
            **{
                f"{name} parity": f"cosine {each.cosine_min:.6f}, difference {each.max_abs:.1e}"
                for name, each in self._parity.items()
            },
        }


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


def _opened(folder: Path, kind: type[_Kind]) -> _Kind:
    encoder = open_checkpoint(folder)
    if not isinstance(encoder, kind):
        raise CheckpointError(
            f"{folder} holds another tower", got=type(encoder).__name__, expected=kind.__name__
        )
    return encoder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError("a file that the recipe names cannot be read", got=error) from None
