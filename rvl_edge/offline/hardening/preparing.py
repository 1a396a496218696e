# SPDX-License-Identifier: Apache-2.0
"""Training and validation samples of a recipe, in the scene's domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part, joined
from rvl_edge.offline.evaluation.trials import make_trial
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.hardening.recipe import FolderRecipe, HardenRecipe, ShardsRecipe, StageRecipe
from rvl_edge.offline.hardening.sources.ahead import Ahead
from rvl_edge.offline.hardening.sources.decoding import Decoder, Encoded
from rvl_edge.offline.hardening.sources.folders import FolderSource, PictureFolder
from rvl_edge.offline.hardening.sources.shards import ShardSource, expand, first_samples
from rvl_edge.offline.hardening.sources.source import Labelled, Source
from rvl_edge.offline.hardening.sources.stored import Stored, drawer
from rvl_edge.preprocess.spec import ImageSpec, PreprocessSpec


@dataclass(frozen=True, eq=False)
class Material:
    """What a recipe trains on.

    Attributes:
        source: makes the source of a stage from its recipe and seed.
        validation: samples that tell how far the training is, labelled for each label set.
        files: what was read, for the provenance: a set's files, or a pattern of them.
    """

    source: Callable[[StageRecipe, int], Source]
    validation: tuple[Labelled, ...]
    files: tuple[Path, ...]


def open_material(recipe: HardenRecipe, data: Path, scenes: Sequence[Scene]) -> Material:
    """Read the labelled set of the sense, or list the recipe's own pictures.

    Args:
        recipe: what is trained.
        data: folder of the sets.
        scenes: one a label set of the recipe.

    Raises:
        ConfigError: a set that is not there, broken, or of other labels than the recipe's label sets.
    """
    spec, texts = scenes[0].student.card.preprocess, [each.text for each in scenes]
    asked = [each.labels for each in texts if each is not None]
    if recipe.data is None:
        return _labelled_set(recipe, data, spec, asked)
    (labels,) = asked
    assert isinstance(spec, ImageSpec)  # own data are pictures, as the recipe was checked for
    if isinstance(recipe.data, FolderRecipe):
        return _pictures(recipe.data, recipe.validation_samples, data, spec, labels)
    return _shards(recipe.data, recipe.validation_samples, data, spec, labels)


def _labelled_set(
    recipe: HardenRecipe, data: Path, spec: PreprocessSpec, asked: Sequence[tuple[str, ...]]
) -> Material:
    modality = recipe.modality
    if modality not in FOLDERS:
        raise ConfigError(f"there is no labelled set of {modality}", fix="harden the other senses")
    training = load_part(modality, data, Part.TRAIN)
    validation = load_part(modality, data, Part.VALIDATION)
    trial = make_trial(validation.take(slice(recipe.validation_samples)), spec, Part.VALIDATION)
    known = [each.labels for each in trial.questions]
    for name, labels in zip(recipe.label_sets, asked, strict=True):
        if labels not in known:
            raise ConfigError(
                "the label set is not the labelled set's",
                got=f"{name}: {', '.join(labels)}",
                expected=" or ".join(", ".join(each) for each in known),
            )
    questions = [known.index(labels) for labels in asked]
    samples = domain_of(spec).samples(torch.from_numpy(trial.inputs))
    if recipe.include_validation:
        training = joined(training, validation)
    draw, truth = drawer(training, spec), torch.from_numpy(training.labels)
    return Material(
        source=lambda stage, seed: Stored(draw, truth, questions, stage.batch_size, seed),
        validation=tuple(
            Labelled(samples, torch.from_numpy(trial.questions[each].answers)) for each in questions
        ),
        files=tuple(sorted(path for path in (data / FOLDERS[modality]).iterdir() if path.is_file())),
    )


def _pictures(
    recipe: FolderRecipe, validated: int, data: Path, spec: ImageSpec, labels: tuple[str, ...]
) -> Material:
    folder = PictureFolder.at(data / recipe.train, labels)
    chosen = PictureFolder.at(data / recipe.validation, labels).take(validated)
    pictures = Decoder(spec)([Encoded(str(path), path.read_bytes()) for path in chosen.paths])

    def source(stage: StageRecipe, seed: int) -> Source:
        return Ahead(FolderSource(folder, spec, batch_size=stage.batch_size, seed=seed, mirror=recipe.mirror))

    return Material(source, (Labelled(pictures, chosen.labels),), folder.paths)


def _shards(
    recipe: ShardsRecipe, validated: int, data: Path, spec: ImageSpec, labels: tuple[str, ...]
) -> Material:
    shards = expand(recipe.train, data)

    def source(stage: StageRecipe, seed: int) -> Source:
        return Ahead(
            ShardSource(shards, spec, len(labels), batch_size=stage.batch_size, seed=seed, recipe=recipe)
        )

    validation = first_samples(expand(recipe.validation, data), spec, len(labels), validated)
    return Material(source, (validation,), tuple(Path(each) for each in shards if "://" not in each))
