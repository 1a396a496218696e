# SPDX-License-Identifier: Apache-2.0
"""The card as one HTML page that needs nothing but itself: no script, no font, no request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rvl_edge.offline.reporting.card import Card, SenseCard
from rvl_edge.offline.reporting.chapters import chapters
from rvl_edge.offline.reporting.colours import heat_colour, luminance
from rvl_edge.offline.reporting.gallery import Answer, Example, Gallery
from rvl_edge.offline.reporting.markup import Html, tag, void
from rvl_edge.offline.reporting.pictures import data_uri, png
from rvl_edge.offline.reporting.plots import accuracy_charts, reliability_chart
from rvl_edge.offline.reporting.style import STYLE
from rvl_edge.offline.reporting.tables import (
    ABSENT,
    HeatMap,
    Table,
    accuracy_table,
    describe_sense,
    hashes_table,
    heat_maps,
    percent,
    recall_table,
    settings_table,
    signs_table,
)
from rvl_edge.types import FloatArray, Modality

# A browser that knows it would refuse what this page does not ask for either.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_PICTURE_TABLES = (
    "Strengths are CIFAR-10-C's for pictures of a short side under 85 pixels and ImageNet-C's for larger; "
    "frost is drawn where those sets used photographs."
)


def as_page(card: Card, galleries: Sequence[Gallery] = ()) -> str:
    """The whole page; galleries stand beside the figures of the encoder that they are of."""
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("link", rel="icon", href="data:,"),
        tag("title", card.title),
        tag("style", Html(STYLE)),
    )
    anchors = [(f"sense-{number}", describe_sense(each)) for number, each in enumerate(card.senses)]
    anchors += [(each.anchor, each.title) for each in chapters(card)]
    anchors += [("hashes", "What was asked about what"), ("untested", "What was not tested")]
    links = [tag("li", tag("a", text, href=f"#{anchor}")) for anchor, text in anchors]
    body = tag(
        "body",
        tag("header", tag("h1", card.title), tag("p", _introduction(), class_="quiet")),
        tag("nav", tag("ul", *links), aria_label="Contents"),
        tag("main", *_sections(card, galleries, anchors)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _introduction() -> str:
    return (
        "Zero-shot accuracy through text anchors. Shaded bands and brackets are 95 % Wilson intervals. An "
        "attack is run on each sample that is answered right as it is; robust ones are right in both cases."
    )


def _sections(card: Card, galleries: Sequence[Gallery], anchors: Sequence[tuple[str, str]]) -> Iterator[Html]:
    for sense, (anchor, title) in zip(card.senses, anchors, strict=False):
        yield tag("section", tag("h2", title), *_sense(sense, galleries), id=anchor)
    for chapter in chapters(card):
        words = tag("p", chapter.words, class_="quiet")
        yield tag("section", tag("h2", chapter.title), words, *map(_table, chapter.tables), id=chapter.anchor)
    yield tag("section", tag("h2", anchors[-2][1]), _table(hashes_table(card)), id=anchors[-2][0])
    gaps = tag("ul", *(tag("li", gap) for gap in card.not_tested))
    yield tag("section", tag("h2", anchors[-1][1]), gaps, id=anchors[-1][0])


def _sense(sense: SenseCard, galleries: Sequence[Gallery]) -> Iterator[Html]:
    yield _table(accuracy_table(sense))
    charts = list(accuracy_charts(sense))
    reliability = reliability_chart(sense)
    plots = [*charts, *([reliability] if reliability is not None else [])]
    if plots:
        yield tag(
            "div",
            *(tag("figure", plot.drawn, tag("figcaption", plot.caption)) for plot in plots),
            class_="plots",
        )
    maps = heat_maps(sense)
    if maps:
        yield tag("h3", "Corruptions")
        if sense.modality is Modality.IMAGE:
            yield tag("p", _PICTURE_TABLES, class_="quiet")
        yield tag("div", *map(_heat_map, maps), class_="plots")
    for gallery in galleries:
        shown = gallery.evaluation
        if (shown.modality, shown.samples) == (sense.modality, sense.samples) and gallery.examples:
            yield tag("h3", f"Attacked samples: {shown.subject.name}, {gallery.attack}")
            yield tag("div", *map(_example, gallery.examples), class_="examples")
    signs = [_table(signs_table(each)) for each in sense.encoders if each.signs]
    if signs:
        yield tag("h3", "Signs of masked gradients")
        yield from signs
    yield tag("h3", "By class")
    yield _table(recall_table(sense))
    yield tag("h3", "Settings")
    yield _table(settings_table(sense))


def _table(table: Table) -> Html:
    heads = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in table.heads)))
    rows = [tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in table.rows]
    drawn = tag("table", tag("caption", table.caption), heads, tag("tbody", *rows))
    return tag("div", drawn, class_="scroll", tabindex=0, role="region", aria_label=table.caption)


def _cell(text: str) -> Html:
    return tag("td", text, class_={"holds": "good", "FAILS": "bad"}.get(text))


def _heat_map(heat: HeatMap) -> Html:
    clean = "" if heat.clean is None else f"; {percent(heat.clean)} without"
    heads = [tag("th", head, scope="col") for head in ("corruption", *map(str, heat.severities))]
    rows = [tag("tr", tag("th", name, scope="row"), *map(_heat_cell, values)) for name, values in heat.rows]
    caption = f"{heat.encoder}: accuracy in per cent by severity{clean}"
    table = tag("table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return tag("div", table, class_="scroll heat", tabindex=0, role="region", aria_label=caption)


def _heat_cell(share: float | None) -> Html:
    """The same colours in light and dark themes, and black or white text, whichever stands out."""
    if share is None:
        return tag("td", ABSENT)
    colour = heat_colour(share)
    ink = "#000" if luminance(colour) > 0.179 else "#fff"
    red, green, blue = colour
    return tag("td", percent(share), style=f"background:rgb({red},{green},{blue});color:{ink}")


def _example(example: Example) -> Html:
    height, width = example.clean.shape[:2]
    columns = (
        (example.clean, "as it is", _seen(example.before)),
        (example.attacked, "attacked", _seen(example.after)),
        (example.difference, "difference", f"{example.factor:.0f} times"),
    )
    cells = [
        tag("div", _image(picture, f"{example.truth}, {what}"), tag("p", f"{what}: {told}"))
        for picture, what, told in columns
    ]
    caption = tag("figcaption", f"Sample {example.place} is: {example.truth}")
    shape = "stack" if width > 2 * height else "triple"
    return tag("figure", tag("div", *cells, class_=shape), caption)


def _image(picture: FloatArray, alt: str) -> Html:
    height, width = picture.shape[:2]
    return void("img", src=data_uri(png(picture)), alt=alt, width=width, height=height)


def _seen(answer: Answer) -> str:
    return f"{answer.label}, {answer.confidence:.0%}"
