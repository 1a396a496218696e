# SPDX-License-Identifier: Apache-2.0
"""A training that is killed goes on exactly where it was, alone or with others, and says when it cannot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import hardening_run as small
import pytest
import torch
from hardening_run import LORA, SHARDS, STAGE, KilledError, train, weights, write_problem

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.towers import Encoder, open_checkpoint, save_checkpoint
from rvl_edge.offline.training import loop, snapshot

TWO_STAGES = [STAGE, {**STAGE, "objective": {"name": "rlbind"}}]
PROBLEMS = {
    "all weights": ([STAGE], {}),
    "two stages": (TWO_STAGES, {}),
    "part kept": ([{**each, "keep": 0.5} for each in TWO_STAGES], {}),
    "low rank": ([{**STAGE, "optimiser": "adamw"}], {"lora": LORA}),
    "multipliers": ([{**STAGE, "objective": {"name": "lore", "dual_every": 2}}], {}),
    "streams": ([STAGE], {"data": SHARDS}),
}


def _same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(
    tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rvl_edge.offline.hardening.training._SNAPSHOT_EVERY", 2)
    stages, changes = PROBLEMS[problem]
    recipe = write_problem(tmp_path, stages, **changes)
    unbroken = train(recipe, tmp_path / "unbroken")
    for kill in (1, 4, 1):  # before a snapshot; between two; after having resumed
        with pytest.raises(KilledError):
            train(recipe, tmp_path / "resumed", kill)
    resumed = train(recipe, tmp_path / "resumed")
    assert _same(tmp_path / "unbroken", tmp_path / "resumed")
    assert resumed.validation == unbroken.validation
    for stage, passes in unbroken.stages.items():
        assert [each.loss for each in resumed.stages[stage]] == [each.loss for each in passes]
        assert [each.accuracy for each in resumed.stages[stage]] == [each.accuracy for each in passes]


@pytest.mark.usefixtures("one_thread")
def test_a_run_under_kill_9_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    recipe = write_problem(tmp_path, [STAGE])
    command = [sys.executable, small.__file__, str(recipe), str(tmp_path / "killed"), "4"]
    killed = subprocess.run(command, env=_environment(), check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    train(recipe, tmp_path / "unbroken")
    train(recipe, tmp_path / "killed")
    assert _same(tmp_path / "unbroken", tmp_path / "killed")


FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


@pytest.mark.parametrize(
    ("source", "method", "settings"),
    [("folder", "mat", {}), ("shards", "tecoa", {}), ("shards", "mat_plus", FSDP)],
)
def test_two_processes_train_as_one_does(
    tmp_path: Path, source: str, method: str, settings: dict[str, str]
) -> None:
    """MAT's samples meet the texts of both processes; FSDP has half of each weight in each, of text too."""
    data = SHARDS if source == "shards" else small.FOLDERS
    changes = {"optimiser": "adamw", "keep": 0.25} if settings else {"optimiser": "muon"}
    stage = {**STAGE, "objective": {"name": method}, **changes}
    recipe = write_problem(tmp_path, [stage], data=data, words=str(small.WORDS))
    alone = train(recipe, tmp_path / "alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "LOCAL_WORLD_SIZE": "2",
    }
    command = [sys.executable, small.__file__, str(recipe), str(tmp_path / "pair"), "-1"]
    pair = [
        subprocess.Popen(
            command, env={**_environment(), **shared, **settings, "RANK": rank, "LOCAL_RANK": rank}
        )
        for rank in ("0", "1")
    ]
    assert [each.wait(timeout=200) for each in pair] == [0, 0]
    lines = (tmp_path / "pair/1" / loop.METRICS_NAME).read_text().splitlines()
    made = json.loads((tmp_path / "pair/out/image/hardening.json").read_text())
    assert (made["processes"], made["fsdp"]) == (2, bool(settings))
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses == pytest.approx([each.loss for each in alone.stages[f"1. {method}"]], rel=1e-4)
    one, other = weights(tmp_path / "alone"), weights(tmp_path / "pair")
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=2e-3, rtol=1e-2)


def test_a_stage_keeps_part_of_what_it_began_with(tmp_path: Path) -> None:
    found = {}
    for keep in (0.0, 0.25):
        folder = tmp_path / str(keep)
        folder.mkdir()
        first = write_problem(folder, [{**STAGE, "keep": keep}])
        told = train(first, folder / "one")
        found[keep] = weights(folder / "one")
        written = json.loads((folder / "one/out/image/hardening.json").read_text())
        assert told.validation == written["validation"]
    plain = open_checkpoint(tmp_path / "0.0/checkpoint").state_dict()
    for name, value in found[0.25].items():
        wanted = 0.75 * found[0.0][name].float() + 0.25 * plain[name]
        torch.testing.assert_close(value.float(), wanted, atol=2e-3, rtol=2e-3, msg=name)


def test_low_rank_updates_leave_all_but_their_layers_alone(tmp_path: Path) -> None:
    recipe = write_problem(tmp_path, [{**STAGE, "optimiser": "adamw", "lr": 0.05}], lora=LORA)
    train(recipe, tmp_path / "run")
    before, after = open_checkpoint(tmp_path / "checkpoint"), open_checkpoint(tmp_path / "run/out/image")
    assert isinstance(before, Encoder)
    assert isinstance(after, Encoder)
    named = after.state_dict()
    changed = {
        name
        for name, value in before.state_dict().items()
        if not torch.allclose(value, named[name], atol=2e-3)
    }
    layer = "vision_model.encoder.layers.0.self_attn"
    assert changed <= {f"{layer}.q_proj.weight", f"{layer}.v_proj.weight"}
    assert changed


def test_training_against_the_attack_lowers_what_it_can_reach(tmp_path: Path) -> None:
    stage = {**STAGE, "steps": 60, "validate_every": 20, "batch_size": 12, "lr": 0.003}
    passes = train(write_problem(tmp_path, [stage]), tmp_path / "run").stages["1. fare"]
    assert passes[-1].loss < 0.5 * passes[0].loss


def test_the_result_says_what_it_was_made_from(tmp_path: Path) -> None:
    train(write_problem(tmp_path, [STAGE]), tmp_path / "run")
    document = json.loads((tmp_path / "run/out/image/hardening.json").read_text())
    assert document["seed"] == 3
    assert document["recipe"]["stages"][0]["attack"]["eps"] == pytest.approx(8 / 255)
    assert len(document["checkpoint sha256"]["model.safetensors"]) == 64
    assert len(document["data sha256"]) == 12
    assert set(document["validation"]) == {"clean", "robust"}


@pytest.mark.parametrize(("steps", "length"), [(1, 1.0), (14, 0.1)])
def test_a_stage_that_would_learn_nothing_is_refused_before_any_is_trained(
    tmp_path: Path, steps: int, length: float
) -> None:
    stages = [{**STAGE, "steps": 20}, {**STAGE, "steps": steps}]
    with pytest.raises(ConfigError, match=r"stage 2: 1, expected 2 steps or more"):
        train(write_problem(tmp_path, stages, length=length), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_snapshot_of_another_recipe_is_refused(tmp_path: Path) -> None:
    for number, eps in enumerate(("8/255", "4/255")):
        stage = {**STAGE, "attack": {"eps": eps, "steps": 2, "step_size": "4/255"}}
        folder = tmp_path / str(number)
        folder.mkdir()
        recipe = write_problem(folder, [stage])
        if number == 0:
            train(recipe, tmp_path / "run")
    with pytest.raises(CheckpointError, match="another"):
        train(recipe, tmp_path / "run")


def test_a_snapshot_goes_on_elsewhere_but_not_from_other_files(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    recipe = write_problem(home, [STAGE])
    train(recipe, tmp_path / "unbroken")
    with pytest.raises(KilledError):
        train(recipe, tmp_path / "run", 4)
    shutil.copytree(home, away)
    for name, change in {
        "checkpoint/model.safetensors": _other_weights,
        "labels/templates.yaml": lambda path: path.write_text("image: ['a {} picture']"),
        "train/red/0.png": lambda path: shutil.copy(home / "train/blue/0.png", path),
    }.items():
        change(away / name)
        with pytest.raises(CheckpointError, match="of other files"):
            train(away / recipe.name, tmp_path / "run")
        shutil.copy(home / name, away / name)
    train(away / recipe.name, tmp_path / "run")
    assert _same(tmp_path / "unbroken", tmp_path / "run")


def _other_weights(path: Path) -> None:
    encoder = open_checkpoint(path.parent)
    with torch.no_grad():
        encoder.logit_scale.add_(0.1)
    save_checkpoint(encoder, path.parent, dtype=torch.float32)


def test_numbers_that_are_no_longer_finite_end_it_and_keep_the_last_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rvl_edge.offline.hardening.training._SNAPSHOT_EVERY", 1)
    recipe = write_problem(tmp_path, [{**STAGE, "lr": 1e30, "optimiser": "adamw"}])
    with pytest.raises(ConfigError, match="no longer finite"):
        train(recipe, tmp_path / "run")
    state = torch.load(tmp_path / "run/1" / loop.SNAPSHOT_NAME, weights_only=True)
    assert state["step"] >= 1
    assert all(value.isfinite().all() for value in state["module"].values())


def test_a_full_disk_leaves_the_snapshot_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_problem(tmp_path, [STAGE])
    with pytest.raises(KilledError):
        train(recipe, tmp_path / "run", 4)
    before = (tmp_path / "run/1" / loop.SNAPSHOT_NAME).read_bytes()
    real = torch.save

    def half(state: object, file: object) -> None:
        real({"step": 0}, file)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.torch, "save", half)
    with pytest.raises(CheckpointError, match="the one before it is kept"):
        train(recipe, tmp_path / "run")
    assert (tmp_path / "run/1" / loop.SNAPSHOT_NAME).read_bytes() == before
    assert [path.name for path in (tmp_path / "run/1").glob("*snapshot*")] == [loop.SNAPSHOT_NAME]


def _environment() -> dict[str, str]:
    folders = (small.ROOT, Path(small.__file__).parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "OMP_NUM_THREADS": "1"}
