# SPDX-License-Identifier: Apache-2.0
"""HTML and SVG that cannot be broken out of: whatever is not made by `tag` is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape


class Html(str):
    """Markup, made by `tag` or `join`."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Html:
    """One element; text among the children and values of attributes are escaped.

    Attributes are named as in HTML with `_` for `-`, and a trailing `_` where Python has the word itself.
    None leaves an attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(readable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def void(name: str, /, **attributes: object) -> Html:
    """An element of HTML that has no end, such as `img`."""
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def join(parts: Iterable[str]) -> Html:
    """Elements and text after each other, text escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(readable(part)) for part in parts))


def readable(text: str) -> str:
    """Text without what reorders or hides it: control and format characters become U+FFFD."""
    hidden = ("Cc", "Cf", "Cs", "Co")
    return "".join("\ufffd" if unicodedata.category(each) in hidden else each for each in text)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, in a table's cell too."""
    plain = readable(text)
    for special in "\\`*_[]|~#!":
        plain = plain.replace(special, f"\\{special}")
    return escape(plain, quote=False)
