# SPDX-License-Identifier: Apache-2.0
"""Attackers of COLA, monitors and gates, from their files to the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import CLEAN, COUNT, cola, evaluation, gate, monitors

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.adaptive.defences import COLA, GATED, PLAIN
from rvl_edge.offline.evaluation.adaptive.results import WORST
from rvl_edge.offline.evaluation.results import write_evaluation
from rvl_edge.offline.gates import report_json
from rvl_edge.offline.reporting.card import Card, make_card
from rvl_edge.offline.reporting.chapters import Chapter, chapters
from rvl_edge.offline.reporting.documents import Documents, Gated, read_documents
from rvl_edge.offline.reporting.markdown import as_markdown
from rvl_edge.offline.reporting.page import as_page
from rvl_edge.offline.reporting.tables import Table
from rvl_edge.types import Modality


def everything(**changed: object) -> Documents:
    given = {
        "evaluations": (evaluation(),),
        "cola": (cola(), cola("hardened", 4.0)),
        "monitors": (monitors(),),
        "gates": (Gated(graph="image", report=gate()),),
    }
    return Documents(**{**given, **changed})  # type: ignore[arg-type]


def told(documents: Documents) -> dict[str, Chapter]:
    return {each.anchor: each for each in chapters(make_card("x", documents))}


def cell(table: Table, row: str, head: str) -> str:
    found = next(each for each in table.rows if each[0] == row)
    return found[table.heads.index(head)]


def test_what_was_written_is_read_whatever_its_kind(tmp_path: Path) -> None:
    write_evaluation(evaluation(), tmp_path / "a.json")
    write_evaluation(cola(), tmp_path / "b.json")
    write_evaluation(monitors(), tmp_path / "c.json")
    (tmp_path / "d.json").write_bytes(report_json({"image": gate(), "audio": gate(lost=9)}))
    found = read_documents(sorted(tmp_path.iterdir()))
    assert [each.subject.name for each in found.evaluations] == ["plain"]
    assert [list(each.cells()) for each in found.cola] == [list(cola().cells())]
    assert found.monitors == (monitors(),)
    assert [(each.graph, each.report) for each in found.gates] == [
        ("image", gate()),
        ("audio", gate(lost=9)),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "monitors"}', '{"kind": "cola-attackers"}', '{"image": {"parity": 1}}'],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match=r"x\.json"):
        read_documents([tmp_path / "x.json"])


def test_a_card_of_everything_survives_its_file() -> None:
    made = make_card("x", everything())
    assert Card.model_validate_json(made.model_dump_json()) == made


def test_cola_has_every_defence_under_every_attack() -> None:
    table, _, settings = told(everything())["cola"].tables
    assert cell(table, PLAIN, "transfer PGD") == "20.0 [9.5, 37.3]"
    assert cell(table, COLA, "clean").startswith("70.0 [")
    assert cell(table, COLA, WORST).startswith("40.0 [")
    assert cell(table, GATED, "clean").endswith(", open 90.0")
    assert cell(table, GATED, "transfer PGD") == "–"
    kept = "points kept by the gate of those that COLA gains"
    assert cell(table, kept, "clean") == "-3.3 of -10.0"
    assert cell(table, kept, "transfer PGD") == "–"
    assert "4 s on a CPU" in cell(settings, "image, objects, hardened, 4/255", "computing")


def test_two_results_under_the_same_attackers_are_refused() -> None:
    with pytest.raises(ConfigError, match="image, objects, plain, 1/255"):
        make_card("x", Documents(cola=(cola(), cola())))


def test_monitors_tell_what_all_of_them_and_the_best_see() -> None:
    table, evaded = told(everything())["monitors"].tables
    assert cell(table, "clean", "warned of").startswith("6.7 [")
    assert cell(table, "fog 3", "warned of").startswith("60.0 [")
    assert cell(table, "fog 3", "best alone") == "blur"
    assert cell(table, "fog 3", "at 1.0 % false alarms").startswith("50.0 [")
    assert cell(evaded, "aware", "wrong").startswith("90.0 [")
    assert cell(evaded, "aware", "wrong and not warned of").startswith("70.0 [")


def test_a_gate_that_fails_says_so() -> None:
    for lost, verdict in ((0, "holds"), (9, "FAILS")):
        documents = everything(gates=(Gated(graph="image", report=gate(lost=lost)),))
        (table,) = told(documents)["gates"].tables
        assert [row[-1] for row in table.rows] == ["holds", verdict, verdict]
        assert f"a loss of {100 * lost / COUNT:.1f} [" in table.rows[1][2]


def test_page_and_markdown_tell_the_same() -> None:
    made = make_card("x", everything())
    page, text = as_page(made), as_markdown(made)
    for chapter in chapters(made):
        assert f'href="#{chapter.anchor}"' in page
        assert f'id="{chapter.anchor}"' in page
        for table in chapter.tables:
            for row in table.rows:
                assert all(each in page for each in row if "<" not in each)
                assert row[1].replace("[", "\\[").replace("]", "\\]") in text
    for sha in ("a" * 64, "d" * 64):
        assert sha in page


def test_what_is_absent_is_named() -> None:
    def gaps(**changed: object) -> str:
        return "\n".join(make_card("x", everything(**changed)).not_tested)

    whole = gaps()
    for name, expected in (
        ("cola", "go through its random views"),
        ("monitors", "what the trust monitors detect"),
        ("gates", "engines and quantised graphs"),
    ):
        assert expected not in whole
        assert expected in gaps(**{name: ()})
    assert "keep below their thresholds" not in whole
    assert "keep below their thresholds" in gaps(monitors=(monitors(aware=False),))
    assert "more than 10 steps" in whole
    assert "image" not in gaps(evaluations=()).partition("\n")[0]
    thermal = evaluation(right=((CLEAN, 3),), modality=Modality.THERMAL)
    assert "go through its random views (thermal)" in gaps(evaluations=(evaluation(), thermal))
