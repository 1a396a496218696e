# SPDX-License-Identifier: Apache-2.0
"""A recipe's stages one after the other, and the checkpoint that they end in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from rvl_edge.offline.hardening.keeping import keeping
from rvl_edge.offline.hardening.lora import add_lora, merge_lora
from rvl_edge.offline.hardening.objectives.interface import Scene, TrainsText
from rvl_edge.offline.hardening.origin import identity_of, origin_of
from rvl_edge.offline.hardening.preparing import open_material
from rvl_edge.offline.hardening.provenance import write_provenance
from rvl_edge.offline.hardening.recipe import HardenRecipe, StageRecipe
from rvl_edge.offline.hardening.scene import make_scenes, with_new_anchors
from rvl_edge.offline.hardening.training import Stage, train
from rvl_edge.offline.hardening.validating import validator
from rvl_edge.offline.towers import Encoder, TextEncoder, read_tokenizer, save_checkpoint
from rvl_edge.offline.training.journal import EpochMetrics, read_metrics
from rvl_edge.offline.training.loop import METRICS_NAME, Report
from rvl_edge.offline.training.processes import Processes

TEXT = "text"


@dataclass(frozen=True)
class Hardened:
    """What a training came to.

    Attributes:
        stages: metrics of each, by its number and method.
        validation: accuracy of the result in float32, which the checkpoint rounds to float16.
    """

    stages: Mapping[str, list[EpochMetrics]]
    validation: Mapping[str, float]


def harden(
    recipe: HardenRecipe,
    *,
    data: Path,
    run: Path,
    output: Path,
    report: Callable[[str], Report],
    processes: Processes,
    board: bool = False,
) -> Hardened:
    """Train all stages of a recipe and write the hardened encoder, its weights rounded to float16.

    A run that was cut off goes on where it was when it is started again with the same run folder.

    Args:
        recipe: what to train.
        data: folder of the sets.
        run: folder for snapshots and metrics, one a stage.
        output: folder for the checkpoint named as the sense, and for `text` where a method trained it.
        report: called once a stage with its name, returns what is called each step.
        processes: among which this is one; all call this function.
        board: write TensorBoard's event files as well.

    Raises:
        ConfigError: a recipe or set that cannot be used, or a training whose numbers became infinite.
        CheckpointError: a snapshot or checkpoint of something else, or one that cannot be written.
    """
    scenes, seed = make_scenes(recipe, processes.device), recipe.seed * 1_009
    material = open_material(recipe, data, scenes)
    origin = origin_of(recipe, scenes, material.files, data)
    identity = identity_of(recipe, origin)
    stages = [
        Stage(
            recipe=each,
            identity=f"{identity} stage {number}",
            seed=seed + number - 1,
            scenes=scenes,
            source=material.source(each, seed + number - 1),
            validate=validator(material.validation, recipe.label_sets, each, processes),
            length=recipe.length,
        )
        for number, each in enumerate(recipe.stages, start=1)
    ]
    for stage in stages:
        stage.plan()  # what cannot be trained is refused before the first stage is
    metrics: dict[str, list[EpochMetrics]] = {}
    for number, stage in enumerate(stages, start=1):
        folder, each = run / f"{number}", stage.recipe
        folder.mkdir(parents=True, exist_ok=True)
        title = f"{number}. {each.name}"
        with keeping(each.keep, _learning(scenes[0], each)):
            train(replace(stage, scenes=scenes), folder, processes, report(title), board=board)
        processes.wait()
        metrics[title] = read_metrics(folder / METRICS_NAME)
        if _trains_text(each):
            scenes = tuple(with_new_anchors(scene) for scene in scenes)
    # What a stage keeps changes its result after its own validation.
    accuracy = stage.validate(scenes) if each.keep else metrics[title][-1].accuracy
    student, text = _whole(recipe, scenes[0], processes)
    if processes.first:
        _save(recipe, student, text, output)
        write_provenance(
            output / recipe.modality.value,
            recipe,
            origin=origin,
            metrics=[each for passes in metrics.values() for each in passes],
            validation=accuracy,
            processes=processes,
        )
    processes.wait()
    return Hardened(metrics, accuracy)


def _learning(scene: Scene, stage: StageRecipe) -> list[nn.Module]:
    if not _trains_text(stage):
        return [scene.student]
    assert scene.text is not None  # `make_scenes` gives one
    return [scene.student, scene.text.encoder]


def _trains_text(stage: StageRecipe) -> bool:
    return isinstance(stage.objective, TrainsText) and stage.objective.trains_text


def _whole(recipe: HardenRecipe, scene: Scene, processes: Processes) -> tuple[Encoder, TextEncoder | None]:
    """The student, merged, and the text encoder if it was trained, with all their weights in one place."""
    student, text = scene.student, None
    if any(_trains_text(each) for each in recipe.stages):
        assert scene.text is not None  # `make_scenes` gives one
        text = scene.text.encoder
    if processes.spread:
        student = Encoder(student.card)
        if recipe.lora is not None:
            add_lora(student, recipe.lora.rank, recipe.lora.alpha, recipe.lora.targets)
        student.load_state_dict(processes.whole(scene.student.state_dict()))
        if text is not None:
            state = processes.whole(text.state_dict())
            text = TextEncoder(text.card)
            text.load_state_dict(state)
    merge_lora(student)
    return student, text


def _save(recipe: HardenRecipe, student: Encoder, text: TextEncoder | None, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    save_checkpoint(student, output / recipe.modality.value)
    if text is not None:
        save_checkpoint(text, output / TEXT, tokenizer=read_tokenizer(recipe.text))
