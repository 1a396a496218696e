# SPDX-License-Identifier: Apache-2.0
"""Tables of evaluations, against figures counted from their answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from linear_encoder import problem
from linear_exam import linear_run

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.asking import CLEAN, attack_arm
from rvl_edge.offline.evaluation.budgets import Ball
from rvl_edge.offline.evaluation.comparing import compare, markdown
from rvl_edge.offline.evaluation.results import Condition, Evaluation, read_evaluation, write_evaluation
from rvl_edge.offline.evaluation.running import Share
from rvl_edge.offline.hardening.threat import Norm


def _evaluation(
    folder: Path, name: str, *, steps: int = 5, count: int = 30, noise: float = 0.0
) -> Evaluation:
    case = problem(count=count)
    case.encoder.weights.data += noise * case.encoder.weights.data.roll(1, 0)
    arms = (CLEAN, attack_arm("pgd", Ball(Norm.LINF, 4 / 255), Effort(steps=steps)))
    run = linear_run(case, arms, folder, name=name)
    run.compute(Share(), lambda title, done, total, rate: None)
    found = run.collect()
    assert found is not None
    return found


def test_a_row_an_encoder_a_column_a_condition(tmp_path: Path) -> None:
    plain, other = _evaluation(tmp_path, "plain"), _evaluation(tmp_path, "other", noise=0.5)
    table = compare([plain, other], against="plain")
    assert table.columns == ("clean", "pgd 4/255")
    assert [row.name for row in table.rows] == ["plain", "other"]
    assert table.rows[0].differences == (None, None)
    for place, outcome in enumerate(other.outcomes):
        right, base = other.right(outcome), plain.right(plain.outcomes[place])
        accuracy, gain = table.rows[1].accuracies[place], table.rows[1].differences[place]
        assert accuracy is not None
        assert gain is not None
        assert accuracy.value == right.mean()
        assert gain.value == pytest.approx(right.mean() - base.mean())
    lines = markdown(table).splitlines()
    assert lines[2].startswith("| encoder | clean | pgd 4/255 |")
    assert f"{plain.right(plain.outcomes[0]).mean():.1%} [" in lines[4]


def test_columns_stand_from_the_weakest_attack_to_the_strongest_and_tell_norms_apart(tmp_path: Path) -> None:
    balls = (Ball(Norm.L2, 0.5), Ball(Norm.LINF, 8 / 255), Ball(Norm.LINF, 2 / 255), Ball(Norm.LINF, 0.5))
    arms = (*(attack_arm("pgd", each, Effort(steps=1)) for each in balls), CLEAN)
    run = linear_run(problem(count=8), arms, tmp_path, name="plain")
    run.compute(Share(), lambda title, done, total, rate: None)
    found = run.collect()
    assert found is not None
    wanted = ("clean", "pgd 2/255", "pgd 8/255", "pgd 127.5/255", "pgd l2 127.5/255")
    assert compare([found]).columns == wanted


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    plain = _evaluation(tmp_path, "plain")
    with pytest.raises(ConfigError, match="other samples"):
        compare([plain, _evaluation(tmp_path, "fewer", count=29)])
    with pytest.raises(ConfigError, match="does not mean the same"):
        compare([plain, _evaluation(tmp_path, "longer", steps=6)])
    with pytest.raises(ConfigError, match="no evaluation of that name"):
        compare([plain], against="plan")


def test_corruptions_of_other_seeds_are_refused_and_precisions_shown(
    tmp_path: Path,
) -> None:
    plain = _evaluation(tmp_path, "plain")
    coarse = plain.subject.model_copy(update={"name": "coarse", "precision": "bfloat16"})
    other = plain.model_copy(update={"subject": coarse, "seed": plain.seed + 1})
    lines = [line.split(" | ") for line in markdown(compare([plain, other])).splitlines()[2:]]
    assert [line[3:5] for line in lines if line[0] != "| ---"] == [
        ["seed", "precision"],
        ["3", "float32"],
        ["4", "bfloat16"],
    ]
    fog = plain.outcomes[0].model_copy(
        update={"condition": Condition(kind="corruption", name="fog", severity=3)}
    )
    foggy, elsewhere = (each.model_copy(update={"outcomes": (fog,)}) for each in (plain, other))
    with pytest.raises(ConfigError, match="fog 3 was drawn from other seeds"):
        compare([foggy, elsewhere])


def test_files_that_are_no_evaluation_are_refused_by_field(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_evaluation(_evaluation(tmp_path / "parts", "plain"), path)
    good = json.loads(path.read_text())
    damages: tuple[tuple[str, object], ...] = (
        ("schema_version", 2),
        ("truths", good["truths"][:-4]),
        ("truths", "not base64!"),
        ("outcomes", good["outcomes"] * 2),
    )
    for field, damage in damages:
        path.write_text(json.dumps({**good, field: damage}))
        with pytest.raises(ConfigError, match="no evaluation that this release reads"):
            read_evaluation(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_evaluation(tmp_path / "missing.json")


def test_the_schema_says_how_columns_are_packed() -> None:
    schema = json.dumps(Evaluation.model_json_schema())
    assert "contentEncoding" in schema
    assert "32-bit floats" in schema
