# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rvl_edge.errors import ConfigError
from rvl_edge.offline.pulling.naming import LANGUAGEBIND, Source, parse_source, suggestion
from rvl_edge.offline.towers import named_card


@pytest.mark.parametrize("repo", LANGUAGEBIND)
def test_every_short_name_is_its_repository_and_has_a_card(repo: str) -> None:
    short = repo.rpartition("/")[2]
    card = short.lower().replace("_", "-")
    assert parse_source(short) == parse_source(card) == Source(repo, "main")
    assert parse_source(f"{card}@refs/pr/1") == Source(repo, "refs/pr/1")
    assert named_card(card).projection_dim in (768, 1024)


def test_repositories_of_others_are_taken_as_they_are() -> None:
    assert parse_source("chs20/fare2-clip@abc") == Source("chs20/fare2-clip", "abc")


@pytest.mark.parametrize(
    "text",
    ["", "/", "a/b/c", "a/b@", "languagebind-imgae", "../../etc", "https://huggingface.co/a/b", "image"],
)
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"OWNER/NAME|@main"):
        parse_source(text)


def test_a_suggestion_is_near_or_none() -> None:
    assert suggestion("LanguagBind/LanguageBind_Vide") == "try LanguageBind/LanguageBind_Video"
    assert "spelling" in suggestion("bert-base-uncased")
    assert "HF_ENDPOINT" in suggestion(LANGUAGEBIND[0])
