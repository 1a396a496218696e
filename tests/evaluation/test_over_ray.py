# SPDX-License-Identifier: Apache-2.0
"""Parts computed by two workers of a real Ray cluster on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from small_sets import SmallSets, write_small_sets

pytest.importorskip("ray.data", reason="needs rvl-edge-sdk[ray]")
from ray.cluster_utils import Cluster as Machines

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.over_ray import Cluster, Worker, inputs
from rvl_edge.offline.evaluation.plans import Asked, Conditions, Means, Plan
from rvl_edge.offline.evaluation.results import Evaluation
from rvl_edge.offline.evaluation.running import Report, Share

CONDITIONS = Conditions(attacks=("pgd",), eps=(8 / 255,), effort=Effort(steps=3))
BATCHES = 3  # of twenty samples, as they are and attacked


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of two processors; a busy machine may not start it within the time that Ray gives itself."""
    head = {"num_cpus": 2, "num_gpus": 0, "include_dashboard": False, "object_store_memory": 80_000_000}
    before = dict(os.environ)
    # Ray's workers are nicer than what else runs, and beside other tests would wait for ever.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
    machines = Machines()
    for tries_left in (2, 1, 0):
        try:
            machines.add_node(**head)
            break
        except Exception:  # Ray raises it bare
            machines.shutdown()
            if not tries_left:
                raise
            machines = Machines()
    yield Cluster(machines.address, workers=2)
    machines.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallSets:
    return write_small_sets(tmp_path_factory.mktemp("small"))


def _plan(small: SmallSets, folder: Path) -> Plan:
    asked = Asked(small.data, text=small.text, labels=small.labels)
    return Plan("small", small.checkpoint, asked, CONDITIONS, Means(folder, batch_size=7))


def _carry_out(plan: Plan, cluster: Cluster | None, report: Report, there: Plan | None = None) -> Evaluation:
    with plan.open() as run:
        by = None if cluster is None else partial(cluster.compute, there or plan, run)
        run.compute(Share(), report, by)
        found = run.collect()
    assert found is not None
    return found


def _silent(title: str, done: int, total: int, rate: float) -> None:
    pass


def _figures(evaluation: Evaluation) -> list[object]:
    return [
        (each.condition, each.answers.tolist(), each.confidences.tolist(), each.losses.tolist())
        for each in evaluation.outcomes
    ]


@pytest.mark.usefixtures("one_thread")
def test_parts_of_a_cluster_and_of_one_process_make_the_result_of_one_process(
    cluster: Cluster, small: SmallSets, tmp_path: Path
) -> None:
    """The driver is killed when four parts of six have come back, and goes on by itself."""
    seen: list[str] = []

    def killed(title: str, done: int, total: int, rate: float) -> None:
        assert total == BATCHES
        seen.append(title)
        if len(seen) == 4:
            raise KeyboardInterrupt

    plan = _plan(small, tmp_path / "cluster")
    with pytest.raises(KeyboardInterrupt):
        _carry_out(plan, cluster, killed)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cluster").rglob("*.json")}
    assert len(kept) == 4
    found = _carry_out(plan, None, _silent)
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    alone = _carry_out(_plan(small, tmp_path / "alone"), None, _silent)
    assert _figures(found) == _figures(alone)
    nothing_is_left = _carry_out(plan, Cluster("nowhere:1"), _silent)
    assert _figures(nothing_is_left) == _figures(alone)


def test_a_machine_that_lacks_the_data_is_named_and_nothing_is_kept(
    cluster: Cluster, small: SmallSets, tmp_path: Path
) -> None:
    """The worker's machine is the driver's; it is given another path instead."""
    plan, empty = _plan(small, tmp_path / "parts"), tmp_path / "empty"
    empty.mkdir()
    there = replace(plan, asked=replace(plan.asked, data=empty))
    with pytest.raises(ConfigError, match=f"{socket.gethostname()}.*{empty}"):
        _carry_out(plan, replace(cluster, workers=1), _silent, there)
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize(
    ("count", "template", "other"),
    [(15, "a photo of a {}", "samples"), (None, "the sound of a {}", "text encoder or prompts")],
)
def test_a_worker_that_finds_something_else_says_what(
    small: SmallSets, tmp_path: Path, count: int | None, template: str, other: str
) -> None:
    plan = _plan(small, tmp_path)
    (tmp_path / "templates.yaml").write_text(f"image: ['{template}']")
    changed = replace(plan.asked, count=count, labels=tmp_path)
    with plan.open() as run:
        rows = [{"name": each.name} for each in run.pieces(Share())]
        same, another = (Worker(each, inputs(run)) for each in (plan, replace(plan, asked=changed)))
    assert same(rows[0])["error"] == ""
    assert f"other {other}" in another(rows[0])["error"]


def test_a_cluster_that_is_not_there_is_said_at_once(small: SmallSets, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConfigError, match=f"joined.*{address}.*ray start --head"):
        _carry_out(_plan(small, tmp_path), Cluster(address), _silent)
