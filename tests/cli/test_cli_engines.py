# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge build`, `sign`, `keygen` and `verify --key` from the outside."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import CommandLine

from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.errors import ConfigError
from rvl_edge.offline.building.recipe import BuildRecipe, read_recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "export").glob("build-*.yaml"))

needs_rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed")
needs_cryptography = pytest.mark.skipif(
    find_spec("cryptography") is None, reason="signatures need cryptography"
)

SMALL = """
target: test-box
compute_capabilities: ["8.6"]
senses: [image]
batches: [{smallest: 1, best: 1, largest: 2}]
optimization_level: 0
"""


@needs_rtx
def test_build_by_a_recipe(rvl_edge: CommandLine, own_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(SMALL + f"bundle: {own_bundle.name}\n")
    outcome = rvl_edge("build", tmp_path / "recipe.yaml", "--json")
    (built,) = outcome.document["engines"]
    (entry,) = Bundle.open(own_bundle).manifest.senses["image"].engines  # type: ignore[index]
    assert outcome.code == 0
    assert built["entry"]["engine"] == entry.engine.model_dump()
    assert entry.engine.path == "engines/image-test-box.engine"
    again = rvl_edge("build", tmp_path / "recipe.yaml")
    assert "graphs/image.onnx: there already" in again.out


@needs_rtx
@needs_cryptography
def test_sign_build_and_sign_again(rvl_edge: CommandLine, own_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(SMALL)
    assert rvl_edge("keygen", tmp_path / "key").code == 0
    assert rvl_edge("sign", own_bundle, "--key", tmp_path / "key").code == 0
    assert rvl_edge("verify", own_bundle, "--key", tmp_path / "key.pub").code == 0
    built = rvl_edge("build", tmp_path / "recipe.yaml", "--bundle", own_bundle)
    assert "sign it again" in built.out
    refused = rvl_edge("verify", own_bundle, "--key", tmp_path / "key.pub")
    assert refused.code == 1
    assert "not signed" in " ".join(refused.out.split())
    assert rvl_edge("sign", own_bundle, "--key", tmp_path / "key").code == 0
    assert rvl_edge("verify", own_bundle, "--key", tmp_path / "key.pub").code == 0


@needs_cryptography
def test_a_damaged_bundle_is_not_signed(rvl_edge: CommandLine, own_bundle: Path, tmp_path: Path) -> None:
    rvl_edge("keygen", tmp_path / "key")
    (own_bundle / "MODEL_CARD.md").write_text("another card")
    outcome = rvl_edge("sign", own_bundle, "--key", tmp_path / "key")
    assert outcome.code == 3
    assert "not signed" in outcome.err
    assert not (own_bundle / "manifest.sig").exists()


def test_without_cryptography_the_command_is_named(rvl_edge: CommandLine, tmp_path: Path) -> None:
    outcome = rvl_edge("keygen", tmp_path / "key", blocked=("cryptography",))
    assert outcome.code == 3
    assert "pip install 'rvl-edge-sdk[signing]'" in outcome.err


def test_a_bundle_and_another(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("build", tiny_bundle, "--bundle", tiny_bundle)
    assert outcome.code == 2
    assert "two bundles" in outcome.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("target: Orin Nano", "target"),
        ("precision: float16", "precision: Extra inputs"),
        ("compute_capabilities: ['5.3']", "TensorRT needs 7.5 or higher, got 5.3"),
        ("compute_capabilities: ['sm_87']", "compute_capabilities"),
        ("batches: [{smallest: 4, best: 2, largest: 8}]", "must ascend, got 4, 2, 8"),
        ("batches: []", "batches"),
        ("optimization_level: 6", "optimization_level"),
        ("target: [", "no YAML"),
    ],
)
def test_a_recipe_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"(?s){re.escape(words)}.*export/build-rtx-desktop.yaml"):
        read_recipe(tmp_path / "recipe.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_come_along(path: Path) -> None:
    recipe = read_recipe(path)
    assert path.stem == f"build-{recipe.target}"
    assert any(each.smallest == 1 for each in recipe.batches)


def test_without_a_recipe_it_is_built_for_desktops() -> None:
    desktop = next(path for path in RECIPES if path.stem == "build-rtx-desktop")
    assert read_recipe(desktop) == BuildRecipe(batches=(BatchRange(smallest=1, best=1, largest=8),))
