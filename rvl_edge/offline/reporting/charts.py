# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG, coloured by the page's style sheet, so that they follow its light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rvl_edge.offline.reporting.markup import Html, join, tag

_WIDTH, _HEIGHT = 420.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 12.0, 44.0
_DASHES = (None, "7 4", "2 3", "9 3 2 3")
SERIES_STYLES = 6  # classes `s0` to `s5` of the style sheet


@dataclass(frozen=True)
class Point:
    """A figure in [0, 1] at x, with its interval if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """A line and its band.

    Attributes:
        name: in the legend.
        points: by rising x.
    """

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axis:
    """The x axis: its label, and ticks with their texts; the first and last tick are its ends."""

    label: str
    ticks: tuple[tuple[float, str], ...]

    def place(self, x: float) -> float:
        """In pixels; ends that coincide are in the middle."""
        first, last = self.ticks[0][0], self.ticks[-1][0]
        part = (x - first) / (last - first) if last != first else 0.5
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def line_chart(
    title: str, axis: Axis, y_label: str, series: Sequence[Series], *, diagonal: bool = False
) -> Html:
    """A chart of parts of 1 over x; what it says must stand in a table beside it too.

    Args:
        title: for those who do not see it.
        axis: of x.
        y_label: of the y axis, which goes from 0 to 100 %.
        series: told apart by colour, dashes and marks.
        diagonal: draw where y is x.
    """
    drawn = [_grid(axis, y_label)]
    if diagonal:
        ends = {"x1": axis.place(0), "y1": _y(0), "x2": axis.place(1), "y2": _y(1)}
        drawn.append(tag("line", **ends, class_="diagonal"))
    drawn += [_line(each, number, axis) for number, each in enumerate(series)]
    picture = tag(
        "svg",
        tag("title", title),
        *drawn,
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        class_="chart",
        aria_label=title,
    )
    return tag("div", picture, _legend(series), class_="plot")


def _grid(axis: Axis, y_label: str) -> Html:
    lines = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        lines += [
            tag("line", x1=_LEFT, y1=y, x2=_WIDTH - _RIGHT, y2=y, class_="grid"),
            tag("text", f"{share:.0%}", x=_LEFT - 6, y=y + 4, text_anchor="end"),
        ]
    for x, text in axis.ticks:
        at = f"{axis.place(x):.1f}"
        lines += [
            tag("line", x1=at, y1=_y(0), x2=at, y2=_y(0) + 4, class_="tick"),
            tag("text", text, x=at, y=_y(0) + 17, text_anchor="middle"),
        ]
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f"rotate(-90 12 {middle_y:g})"
    lines += [
        tag("text", axis.label, x=middle_x, y=_HEIGHT - 8, text_anchor="middle"),
        tag("text", y_label, x=12, y=middle_y, text_anchor="middle", transform=turned),
    ]
    return tag("g", *lines, class_="axes")


def _line(series: Series, number: int, axis: Axis) -> Html:
    at = [(axis.place(point.x), point) for point in series.points]
    parts = []
    banded = [(x, each.low, each.high) for x, each in at if each.low is not None and each.high is not None]
    if len(banded) > 1:
        border = [(x, high) for x, _, high in banded] + [(x, low) for x, low, _ in reversed(banded)]
        parts.append(tag("polygon", points=_path(border), class_="band"))
    parts.append(
        tag(
            "polyline",
            points=_path([(x, each.y) for x, each in at]),
            stroke_dasharray=_DASHES[number % len(_DASHES)],
            class_="line",
        )
    )
    parts += [
        tag("circle", tag("title", _told(series, each)), cx=f"{x:.1f}", cy=f"{_y(each.y):.1f}", r=3.2)
        for x, each in at
    ]
    return tag("g", *parts, class_=f"s{number % SERIES_STYLES}")


def _told(series: Series, point: Point) -> str:
    interval = "" if point.low is None else f" [{point.low:.1%}, {point.high:.1%}]"
    return f"{series.name}: {point.y:.1%}{interval}"


def _legend(series: Sequence[Series]) -> Html:
    items = []
    for number, each in enumerate(series):
        sample = tag(
            "line", x1=0, y1=6, x2=34, y2=6, stroke_dasharray=_DASHES[number % len(_DASHES)], class_="line"
        )
        key = tag(
            "svg",
            tag("g", sample, class_=f"s{number % SERIES_STYLES}"),
            viewBox="0 0 34 12",
            class_="key",
            aria_hidden="true",
        )
        items.append(tag("li", key, each.name))
    return tag("ul", join(items), class_="legend")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{_y(share):.1f}" for x, share in points)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)
