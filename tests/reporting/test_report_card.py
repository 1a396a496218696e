# SPDX-License-Identifier: Apache-2.0
"""The card says what the evaluations say, and what they do not."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up import CLEAN, COUNT, attack, corruption, evaluation, ratio

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.results import Condition, Evaluation
from rvl_edge.offline.evaluation.wilson import proportion
from rvl_edge.offline.reporting.card import Card, make_card
from rvl_edge.offline.reporting.colours import heat_colour, luminance
from rvl_edge.offline.reporting.documents import Documents
from rvl_edge.offline.reporting.files import NAMES, report_files, write_report
from rvl_edge.offline.reporting.markdown import as_markdown
from rvl_edge.offline.reporting.page import as_page
from rvl_edge.offline.reporting.plots import accuracy_charts
from rvl_edge.offline.reporting.tables import accuracy_table, recall_table, settings_table
from rvl_edge.types import Modality

RUN = (
    (CLEAN, 24),
    (attack(4), 6),
    (attack(1), 15),
    (corruption("fog", 1), 20),
    (corruption("fog", 5), 10),
    (corruption("snow", 1), 18),
)
HARDENED = ((CLEAN, 22), (attack(4), 16), (attack(1), 20))
VOID = {"meta", "link", "img"}


class Reader(HTMLParser):
    """Checks that elements close in the order they opened, and collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.cells: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given[key] for key in ("href", "src") if given.get(key)]
        assert not any(key.startswith("on") for key in given)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1].append(data)


def card() -> Card:
    return make_card("A card", Documents((evaluation("plain", RUN), evaluation("hardened", HARDENED))))


def made_of(*evaluations: Evaluation) -> Card:
    return make_card("x", Documents(evaluations))


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_card_has_the_figures_and_survives_its_file() -> None:
    made = card()
    assert Card.model_validate_json(made.model_dump_json()) == made
    (sense,) = made.senses
    plain = {each.title: each for each in sense.encoders[0].measured}
    assert plain["clean"].accuracy == proportion(24, COUNT)
    assert plain["apgd-ce+t 4/255"].accuracy == proportion(6, COUNT)
    assert plain["clean"].recall["dog"] == proportion(8, 10)
    assert sum(each.share for each in plain["clean"].reliability) == pytest.approx(1)


def test_samples_of_another_domain_or_sense_are_not_in_one_table() -> None:
    made = made_of(
        evaluation("a"),
        evaluation("b"),
        evaluation("a", domain="camera"),
        evaluation("a", modality=Modality.THERMAL),
    )
    assert [len(each.encoders) for each in made.senses] == [2, 1, 1]


def test_encoders_under_other_attacks_of_one_title_are_refused() -> None:
    longer = attack(4).model_copy(
        update={"settings": {"steps": 100, "attack": "StandardAttack", "targets": 3}}
    )
    with pytest.raises(ConfigError, match=r"apgd-ce\+t 4/255 does not mean the same.* got b: .*expected a: "):
        made_of(evaluation("a", ((CLEAN, 24), (attack(4), 6))), evaluation("b", ((CLEAN, 22), (longer, 16))))


def test_two_results_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two results of one encoder"):
        made_of(evaluation(), evaluation())
    with pytest.raises(ConfigError, match="needs results"):
        make_card("x", Documents())


def test_the_page_is_whole_asks_for_nothing_and_runs_nothing() -> None:
    page = as_page(card())
    reader = read(page)
    assert "script" not in reader.names
    assert "alert(1)" in page  # the label, as text
    assert "\u202e" not in page
    assert all(link.startswith(("#", "data:")) for link in reader.links)
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in unescape(page)


def test_the_page_has_every_figure_as_text() -> None:
    rows = {row[0]: row[1:] for row in read(as_page(card())).cells if row}
    assert rows["clean"] == ["80.0 [62.7, 90.5]", "73.3 [55.6, 85.8]"]
    assert rows["apgd-ce+t 4/255"] == ["20.0 [9.5, 37.3]", "53.3 [36.1, 69.8]"]
    assert rows["fog"] == ["66.7", "33.3"]
    assert rows["snow"] == ["60.0", "–"]
    assert rows["mean"] == ["63.3", "–"]


def test_curves_begin_at_the_clean_accuracy_and_rise_in_eps() -> None:
    lines = re.findall(r'<polyline points="([^"]+)"', as_page(card()))
    plain, hardened = ([tuple(map(float, at.split(","))) for at in line.split()] for line in lines[:2])
    assert [x for x, _ in plain] == sorted(x for x, _ in plain)
    heights = [y for _, y in plain]
    assert len(heights) == 3  # eps 0, 1 and 4
    assert heights == sorted(heights)  # SVG's y points down: accuracy falls
    assert (heights[2] - heights[0]) / (heights[1] - heights[0]) == pytest.approx((24 - 6) / (24 - 15), 0.01)
    assert hardened[-1][1] < plain[-1][1]


def test_conditions_stand_in_order_however_they_were_run() -> None:
    ran = (
        (attack(8), 3),
        (ratio(20), 2),
        (attack(2), 15),
        (CLEAN, 24),
        (ratio(40), 20),
        (attack(4, "apgd-ce"), 9),
    )
    (sense,) = made_of(
        evaluation("a", ran), evaluation("b", ((attack(4), 6), (attack(1), 20), (CLEAN, 22)))
    ).senses
    order = ["clean", "apgd-ce 4/255", *(f"apgd-ce+t {eps}/255" for eps in (1, 2, 4, 8))]
    order += ["apgd-ce+t 40 dB", "apgd-ce+t 20 dB"]
    assert [row[0] for row in accuracy_table(sense).rows] == order
    settings = [row[1] for row in settings_table(sense).rows if row[0] == "a"]
    assert settings == [each for each in order if each not in ("apgd-ce+t 1/255", "apgd-ce+t 4/255")]
    captions = [each.caption for each in accuracy_charts(sense)]
    assert captions == [
        "Accuracy under apgd-ce, linf.",
        "Accuracy under apgd-ce+t, linf.",
        "Accuracy under apgd-ce+t, l2.",
    ]


def test_classes_are_shown_under_the_hardest_attack_that_all_encoders_met() -> None:
    words = Condition(kind="attack", name="words")
    ran = ((CLEAN, 24), (words, 0), (attack(1), 15), (attack(4, "pgd"), 9), (attack(4), 6))
    only = (attack(8), 1)
    (sense,) = made_of(evaluation("a", ran), evaluation("b", (*ran, only))).senses
    table = recall_table(sense)
    assert table.heads[1:] == ("a, clean", "a, apgd-ce+t 4/255", "b, clean", "b, apgd-ce+t 4/255")
    assert "apgd-ce+t 4/255" in table.caption
    assert table.rows[0] == ("dog", *["80.0 [49.0, 94.3]", "20.0 [5.7, 51.0]"] * 2)
    (alone,) = made_of(evaluation("a", (only, (CLEAN, 24), (words, 0)))).senses
    assert recall_table(alone).heads[1:] == ("a, clean", "a, apgd-ce+t 8/255")
    (unattacked,) = made_of(evaluation("a")).senses
    assert recall_table(unattacked).heads[1:] == ("a, clean",)


def test_ratios_stand_from_the_weakest_attack_to_the_strongest() -> None:
    ran = [(CLEAN, 28), *((ratio(decibels), hits) for decibels, hits in ((20, 9), (40, 24), (30, 17)))]
    page = as_page(made_of(evaluation("a", tuple(ran), modality=Modality.AUDIO)))
    line = re.findall(r'<polyline points="([^"]+)"', page)[0]
    heights = [float(at.split(",")[1]) for at in line.split()]
    assert len(heights) == 3
    assert heights == sorted(heights)
    texts = re.findall(r"<text[^>]*>(\d\d)</text>", page)
    assert texts == ["40", "30", "20"]


def test_heat_maps_grow_lighter_and_their_text_can_be_read() -> None:
    shades = [luminance(heat_colour(share)) for share in np.linspace(0, 1, 101)]
    assert (np.diff(shades) > 0).all()
    for shade in shades:  # WCAG 2 AA
        assert max((shade + 0.05) / 0.05, 1.05 / (shade + 0.05)) > 4.5


def test_markdown_keeps_its_columns_whatever_a_label_is_called() -> None:
    text = as_markdown(card())
    assert "<script>" not in text
    assert "\u202e" not in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1, block


def test_what_was_not_tested_follows_from_what_was() -> None:
    gaps = "\n".join(made_of(evaluation("a", ((CLEAN, 24), (attack(4, "pgd"), 6)))).not_tested)
    for expected in (
        "weaker than these",
        "black-box",
        "masked gradients",
        "gaussian_noise",
        "exported graph",
        "prompts",
    ):
        assert expected in gaps
    assert "thermal, depth, audio, video" in gaps
    ran = ((CLEAN, 24), (attack(4, "autoattack"), 6), (attack(4, "square"), 8), (corruption("fog", 1), 3))
    fewer = "\n".join(made_of(evaluation("a", ran)).not_tested)
    assert "black-box" not in fewer
    assert "weaker than these" not in fewer
    assert "fog" not in fewer
    assert any("any attack" in gap for gap in made_of(evaluation("a", ((CLEAN, 1),))).not_tested)


def test_a_report_replaces_a_report_and_nothing_else(tmp_path: Path) -> None:
    files = report_files(card())
    assert tuple(files) == NAMES
    write_report(files, tmp_path / "out")
    write_report({**files, "REPORT.md": b"new"}, tmp_path / "out")
    assert (tmp_path / "out/REPORT.md").read_bytes() == b"new"
    (tmp_path / "out/mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="will not replace"):
        write_report(files, tmp_path / "out")
    assert (tmp_path / "out/mine.txt").read_text() == "keep"
