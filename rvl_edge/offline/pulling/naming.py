# SPDX-License-Identifier: Apache-2.0
"""What a user writes for a repository, and what was probably meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from rvl_edge.errors import ConfigError

LANGUAGEBIND = tuple(
    f"LanguageBind/LanguageBind_{name}"
    for name in (
        "Image",
        "Thermal",
        "Depth",
        "Audio",
        "Audio_FT",
        "Video",
        "Video_FT",
        "Video_V1.5_FT",
        "Video_Huge_V1.5_FT",
    )
)

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPO = re.compile(f"{_PART}/{_PART}")


@dataclass(frozen=True)
class Source:
    """Where to pull from: a repository of the hub, and a branch, tag or commit of it."""

    repo: str
    revision: str = "main"

    @property
    def name(self) -> str:
        """The repository's name without its owner."""
        return self.repo.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


def parse_source(text: str) -> Source:
    """Read `OWNER/NAME[@REVISION]`; of LanguageBind's repositories the name alone is enough.

    Case, hyphens and underscores of such a name do not matter: `languagebind-image` is
    `LanguageBind/LanguageBind_Image`.

    Raises:
        ConfigError: no such form, or a name alone that is none of LanguageBind's.
    """
    repo, at, revision = text.strip().partition("@")
    if at and not revision:
        raise ConfigError("the revision is empty", got=text, fix=f"leave the @ out, or name one: {repo}@main")
    if _REPO.fullmatch(repo):
        return Source(repo, revision or "main")
    short = {_plain(known.rpartition("/")[2]): known for known in LANGUAGEBIND}
    if _plain(repo) in short:
        return Source(short[_plain(repo)], revision or "main")
    raise ConfigError("no repository is called this", got=repo, expected="OWNER/NAME", fix=suggestion(repo))


def suggestion(repo: str) -> str:
    """What to do about a repository that is not there: the nearest of LanguageBind's, if one is near."""
    if repo in LANGUAGEBIND:
        return "check HF_ENDPOINT"
    short = {_plain(known.rpartition("/")[2]): known for known in LANGUAGEBIND}
    near = get_close_matches(_plain(repo.rpartition("/")[2]), short, n=1, cutoff=0.75)
    return f"try {short[near[0]]}" if near else f"check the spelling; such as {LANGUAGEBIND[0]}"


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
