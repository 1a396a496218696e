# SPDX-License-Identifier: Apache-2.0
"""A stage that is killed goes on exactly where it was, and one seed gives one result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_cards import DIM, image_card, randomised, text_card
from torch import Tensor, nn

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.captions import Captions, make_captions
from rvl_edge.offline.pretraining.image_feed import ImageFeed
from rvl_edge.offline.pretraining.recipe import StageRecipe
from rvl_edge.offline.pretraining.stage import METRICS_NAME, SNAPSHOT_NAME, Report, Stage, train
from rvl_edge.offline.pretraining.texts import LearnedText, LockedText
from rvl_edge.offline.towers import Encoder, TextEncoder
from rvl_edge.offline.towers.initialisation import initialise
from rvl_edge.offline.training.journal import read_metrics
from rvl_edge.types import Modality

CLASSES = ("red", "green", "blue")
EPOCHS, STEPS = 3, 4


class _KilledError(Exception):
    pass


def _captions() -> Captions:
    label_set = LabelSetFile(
        name="colours", modalities=(Modality.IMAGE,), concepts=dict.fromkeys(CLASSES, ())
    )
    return make_captions({"colours": label_set}, {Modality.IMAGE: ("{}", "a {} thing")})


def _samples() -> Samples:
    random = np.random.default_rng(0)
    labels = np.arange(32) % 3
    data = random.integers(0, 60, (32, 16, 16, 3)).astype(np.uint8)
    data[np.arange(32), :, :, labels] += 150
    return Samples(data, labels, CLASSES)


def _stage(*, learned: bool, seed: int = 5, **changes: object) -> Stage:
    numbers = {"epochs": EPOCHS, "unmasked_epochs": 1, "batch_size": 8, "lr": 0.01, "average_decay": 0.8}
    recipe = StageRecipe.model_validate({"modality": "image", "card": "small", **numbers, **changes})
    torch.manual_seed(seed)
    encoder, captions = Encoder(image_card()), _captions()
    initialise(encoder)
    modules = nn.ModuleDict({"encoder": encoder})
    if learned:
        text_encoder = TextEncoder(text_card())
        initialise(text_encoder)
        modules["text"] = text_encoder
        generator = torch.Generator().manual_seed(1)
        ids = torch.randint(1, 600, (len(captions.texts), 6), generator=generator)
        ids[:, -1] = text_encoder.card.text_config.vocab_size - 1
        text: LearnedText | LockedText = LearnedText(text_encoder, ids)
    else:
        text = LockedText(nn.functional.normalize(torch.randn(len(captions.texts), DIM), dim=1))
    return Stage(
        recipe=recipe,
        identity="a stage of these tests",
        seed=seed,
        modules=modules,
        encoder=encoder,
        text=text,
        text_scale=20.0 if learned else None,
        captions=captions,
        feed=ImageFeed(_samples(), encoder.card.preprocess, captions),
        validate=lambda modules: {"colours": sum(each.sum().item() for each in modules.parameters())},
    )


def _killing(at: int) -> Report:
    def report(step: int, steps: int, loss: float, rate: float) -> None:
        assert steps == EPOCHS * STEPS
        if step == at:
            raise _KilledError

    return report


def _weights(stage: Stage) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in stage.modules.state_dict().items()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("learned", [True, False])
def test_a_killed_stage_ends_with_the_same_bits_as_an_unbroken_one(tmp_path: Path, learned: bool) -> None:
    unbroken = _stage(learned=learned)
    train(unbroken, tmp_path, _killing(at=-1))
    resumed_folder = tmp_path / "resumed"
    resumed_folder.mkdir()
    for kill in (2, 4, 9, 11):  # before the first snapshot, at one, and between two
        with pytest.raises(_KilledError):
            train(_stage(learned=learned), resumed_folder, _killing(at=kill))
    resumed = _stage(learned=learned)
    train(resumed, resumed_folder, _killing(at=-1))
    assert _same(_weights(unbroken), _weights(resumed))
    epochs = [each.epoch for each in read_metrics(resumed_folder / METRICS_NAME)]
    assert epochs == [1, 2, 3]
    pairs = zip(
        read_metrics(tmp_path / METRICS_NAME), read_metrics(resumed_folder / METRICS_NAME), strict=True
    )
    assert all(first.accuracy == second.accuracy for first, second in pairs)


def test_another_seed_gives_another_result(tmp_path: Path) -> None:
    found = []
    for seed in (5, 6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        stage = _stage(learned=True, seed=seed)
        train(stage, folder, _killing(at=-1))
        found.append(_weights(stage))
    assert not _same(*found)


def test_a_finished_stage_is_read_back_without_a_step(tmp_path: Path) -> None:
    first, again = _stage(learned=False), _stage(learned=False)
    train(first, tmp_path, _killing(at=-1))

    def no_step(*_: object) -> None:
        raise AssertionError

    train(again, tmp_path, no_step)
    assert _same(_weights(first), _weights(again))


def test_training_binds_pictures_to_their_captions(tmp_path: Path) -> None:
    stage = _stage(learned=False, epochs=30, lr=0.01)
    train(stage, tmp_path, lambda *_: None)
    feed, captions = stage.feed, stage.captions
    with torch.no_grad():
        samples = stage.encoder.encode(feed.batch(torch.arange(32)).pixels)
        texts = stage.text.embed(torch.arange(len(captions.texts)))
    nearest = captions.concepts[(samples @ texts.T).argmax(dim=1)]
    truth = torch.tensor([captions.phrases[CLASSES[index % 3]] for index in range(32)])
    assert (nearest == truth).float().mean() > 0.9


@pytest.mark.parametrize("content", [b"", b"not a snapshot", None])
def test_a_snapshot_of_something_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is None:  # a snapshot of other modules
        torch.save(
            {"step": 1, "identity": "", "module": randomised(TextEncoder(text_card())).state_dict()},
            tmp_path / SNAPSHOT_NAME,
        )
    else:
        (tmp_path / SNAPSHOT_NAME).write_bytes(content)
    with pytest.raises(CheckpointError, match="no snapshot of this stage"):
        train(_stage(learned=False), tmp_path, lambda *_: None)
