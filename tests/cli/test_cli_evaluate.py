# SPDX-License-Identifier: Apache-2.0
"""`evaluate` of checkpoints as a user runs it: killed, resumed by two processes, compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, CommandLine
from typer.testing import CliRunner

from rvl_edge.cli.main import app
from rvl_edge.errors import ConfigError

pytest.importorskip("torch")
from small_sets import SmallSets, write_small_sets

ATTACK = ("--attack", "pgd", "--attack", "apgd-ce+t", "--eps", "4,8", "--steps", "5", "--batch-size", "4")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallSets:
    return write_small_sets(tmp_path_factory.mktemp("small"))


def _arguments(small: SmallSets, *more: str) -> tuple[str, ...]:
    given = ("--data", str(small.data), "--text", str(small.text), "--labels", str(small.labels))
    return ("evaluate", str(small.checkpoint), *given, "--device", "cpu", *more)


def _outcomes(path: Path) -> list[object]:
    """All but the time it took and the threads it had."""
    outcomes = json.loads(path.read_text())["outcomes"]
    return [(each["condition"], each["answers"]) for each in outcomes]


def test_a_killed_run_is_finished_by_two_processes_to_the_same_result(
    rvl_edge: CommandLine, small: SmallSets, tmp_path: Path
) -> None:
    unbroken = rvl_edge(*_arguments(small, *ATTACK, "--run", "unbroken", "--out", "unbroken.json", "--json"))
    assert unbroken.code == 0, unbroken.err
    titles = [each["title"] for each in unbroken.document["conditions"]]
    assert titles == ["clean", "pgd 4/255", "pgd 8/255", "apgd-ce+t 4/255", "apgd-ce+t 8/255"]

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    arguments = _arguments(small, *ATTACK, "--run", "killed", "--out", "killed.json")
    command = [sys.executable, "-c", _KILLED_AT_THE_SIXTH_PART, *arguments]
    killed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    kept = list((tmp_path / "killed").rglob("*.json"))
    assert len(kept) == 6

    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "--", "rvl_edge.cli", *arguments]  # or it takes --run for one of its own
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _outcomes(tmp_path / "killed.json") == _outcomes(tmp_path / "unbroken.json")

    table = rvl_edge("compare", "unbroken.json", "killed.json", "--markdown")
    assert table.code == 0, table.err
    assert table.out.count("| checkpoint |") == 2


_KILLED_AT_THE_SIXTH_PART = """
import os, signal, sys
from rvl_edge.offline.evaluation import running

write, written = running.write_atomic, []

def write_and_die(path, data):
    write(path, data)
    written.append(path)
    if len(written) == 6:
        os.kill(os.getpid(), signal.SIGKILL)

running.write_atomic = write_and_die
from rvl_edge.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--attack", "pgd", "--eps", "four"), "0.5/255"),
        (("--checks", "4,8,16"), "one radius"),
        (("--shard", "3/2"), "2/3"),
        (("--corruptions", "fog", "--severities", "9"), "1 to 5"),
        (("--out", "folder"), "FILE.json"),
        (("--modality", "audio"), "--modality"),
        (("--backend", "openvino"), "--backend"),
    ],
)
def test_what_a_user_gets_wrong_is_said_before_anything_is_computed(
    small: SmallSets, wrong: tuple[str, ...], message: str
) -> None:
    outcome = CliRunner().invoke(app, _arguments(small, *wrong))
    assert isinstance(outcome.exception, ConfigError)
    assert message in str(outcome.exception)


@pytest.mark.parametrize("device", ["tpu", "cuda:1"])
def test_a_device_that_would_not_be_followed_is_refused(small: SmallSets, device: str) -> None:
    outcome = CliRunner().invoke(app, _arguments(small, "--device", device))
    assert outcome.exit_code == 2
    assert "'cpu'" in outcome.stderr


def test_a_missed_target_fails_after_the_result_is_kept(small: SmallSets, tmp_path: Path) -> None:
    targets, out = tmp_path / "targets.yaml", tmp_path / "result.json"
    given = ("--attack", "fgsm", "--eps", "8", "--run", str(tmp_path / "run"), "--out", str(out))
    arguments = _arguments(small, *given, "--targets", str(targets))
    targets.write_text("clean: 0\nfgsm 8/255: 1.0\n")
    missed = CliRunner().invoke(app, arguments)
    assert missed.exit_code == 1
    assert "fgsm 8/255" in missed.stderr
    assert "clean" not in missed.stderr.partition("target missed")[2]
    assert out.is_file()
    targets.write_text("fgsm 8/255: 0\n")
    assert CliRunner().invoke(app, arguments).exit_code == 0
    targets.write_text("fgsm 4/255: 0\n")
    unknown = CliRunner().invoke(app, arguments)
    assert isinstance(unknown.exception, ConfigError)


def test_over_ray_needs_its_extra_and_shares_the_work_out_alone(
    rvl_edge: CommandLine, small: SmallSets
) -> None:
    without = rvl_edge(*_arguments(small, "--ray", "local", "--json"), blocked=("ray",))
    assert (without.code, without.document["error"]["code"]) == (3, "missing-dependency")
    assert "rvl-edge-sdk[ray]" in without.document["error"]["fix"]
    twice = rvl_edge(*_arguments(small, "--ray", "local", "--shard", "1/2", "--json"))
    assert (twice.code, twice.document["error"]["code"]) == (2, "config")
    assert "--shard" in twice.document["error"]["fix"]
