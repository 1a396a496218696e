# SPDX-License-Identifier: Apache-2.0
"""Engines that must not run are refused for the right reason, before TensorRT sees a byte of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from engine_bundles import CONTENT, ENGINE, MACHINE, image, with_engine

import rvl_edge as rvl
from rvl_edge._board import BOARD_VARIABLE
from rvl_edge.backends.cuda import Device
from rvl_edge.backends.tensorrt import opening
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.engines import Machine, choose_engine
from rvl_edge.errors import (
    BundleError,
    EngineDevice,
    EngineMissing,
    EngineStale,
    EngineVersion,
    HashMismatch,
    UnsafePath,
)

OTHER_HASH = "0" * 64


def test_an_engine_for_this_machine_is_chosen_and_read(own_bundle: Path) -> None:
    bundle = with_engine(own_bundle)
    chosen = choose_engine(image(bundle), MACHINE)
    assert bundle.read(chosen.engine) == CONTENT


def test_boards_whose_gpus_have_one_name_are_told_apart(
    own_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BOARD_VARIABLE, raising=False)
    trt, cuda = SimpleNamespace(__version__="10.3.0"), SimpleNamespace(device=Device("Orin", "8.7", 8 << 30))

    def machine(name: str, model: bytes) -> Machine:
        path = tmp_path / name / "proc/device-tree/model"
        path.parent.mkdir(parents=True)
        path.write_bytes(model)
        return opening.this_machine("tensorrt", trt, cuda, tmp_path / name)

    agx = machine("agx", b"NVIDIA Jetson AGX Orin Developer Kit\0")
    nano = machine("nano", b"NVIDIA Jetson Orin Nano Developer Kit\0")
    entry = image(with_engine(own_bundle, device=agx.device))
    assert choose_engine(entry, agx).device == "Orin, NVIDIA Jetson AGX Orin Developer Kit"
    with pytest.raises(EngineDevice, match=r"got Orin, .*AGX.*, expected Orin, .*Nano"):
        choose_engine(entry, nano)
    elsewhere = opening.this_machine("tensorrt", trt, cuda, tmp_path)
    assert elsewhere.device == "Orin"
    monkeypatch.setenv(BOARD_VARIABLE, "NVIDIA Jetson AGX Orin Developer Kit")
    assert opening.this_machine("tensorrt", trt, cuda, tmp_path) == agx


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"source": (OTHER_HASH,)}, EngineStale, "another graph"),
        ({"version": "10.13.3"}, EngineVersion, "another release of TensorRT: got 10.13.3, expected 10.3.0"),
        ({"version": "10.3.0.1"}, EngineVersion, "got 10.3.0.1"),
        (
            {"compute_capabilities": ("8.6", "8.9")},
            EngineDevice,
            "got compute capability 8.6, 8.9, expected 8.7",
        ),
        ({"device": "Orin Nano"}, EngineDevice, "tuned on another GPU: got Orin Nano, expected Orin"),
        ({"flavour": "tensorrt-rtx"}, EngineMissing, "no engine for tensorrt: got engines for tensorrt-rtx"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused(
    own_bundle: Path, changes: dict, error: type[BundleError], words: str
) -> None:
    bundle = with_engine(own_bundle, **changes)
    with pytest.raises(error, match=words) as caught:
        choose_engine(image(bundle), MACHINE)
    assert "rvl-edge build BUNDLE --on-device --flavour tensorrt" in str(caught.value)


def test_a_graph_without_engines_names_the_command(tiny_bundle: Path) -> None:
    with pytest.raises(EngineMissing, match=r"got no engines.*rvl-edge build"):
        choose_engine(image(Bundle.open(tiny_bundle)), MACHINE)


def test_an_engine_for_any_gpu_of_its_capabilities(own_bundle: Path) -> None:
    bundle = with_engine(own_bundle, device=None, compute_capabilities=("8.6", "8.7"))
    chosen = choose_engine(image(bundle), Machine("tensorrt", "10.3.0", "8.7", "some other board"))
    assert chosen.engine.path == ENGINE


def test_of_several_that_fit_the_last_built_is_taken(own_bundle: Path) -> None:
    entry = image(with_engine(own_bundle))
    older = entry.engines[0].model_copy(update={"target": "older"})
    several = entry.model_copy(update={"engines": (older, *entry.engines)})
    assert choose_engine(several, MACHINE).target == "test"


def test_an_exported_graph_makes_its_engine_stale(own_bundle: Path) -> None:
    entry = image(with_engine(own_bundle))
    exported_again = entry.model_copy(update={"graph": entry.graph.model_copy(update={"sha256": OTHER_HASH})})
    with pytest.raises(EngineStale):
        choose_engine(exported_again, MACHINE)


def test_weights_beside_the_graph_count_too(own_bundle: Path) -> None:
    entry = image(with_engine(own_bundle))
    weights = entry.graph.model_copy(update={"path": f"{entry.graph.path}.data", "sha256": OTHER_HASH})
    with pytest.raises(EngineStale):
        choose_engine(entry.model_copy(update={"weights": weights}), MACHINE)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _replace_by_link(path: Path) -> None:
    outside = path.parents[2] / "outside.engine"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)


DAMAGE = [
    (_flip, HashMismatch, "is not the file the manifest was written for"),
    (_truncate, HashMismatch, "has another size"),
    (_replace_by_link, UnsafePath, "is a link that leaves the bundle"),
    (Path.unlink, HashMismatch, "is missing"),
]


@pytest.mark.parametrize(("damage", "error", "words"), DAMAGE)
def test_a_damaged_engine_keeps_the_bundle_shut(
    own_bundle: Path, damage, error: type[BundleError], words: str
) -> None:
    with_engine(own_bundle)
    damage(own_bundle / ENGINE)
    with pytest.raises(error, match=words):
        Bundle.open(own_bundle)


class _Tripwire(ModuleType):
    """A TensorRT that must not be asked for anything but its version."""

    __version__ = MACHINE.version

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"tensorrt.{name} was reached")


@pytest.fixture
def orin(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is an Orin, whose TensorRT raises AssertionError when it is used."""
    monkeypatch.setitem(sys.modules, "tensorrt", _Tripwire("tensorrt"))

    class Gpu:
        device = Device(MACHINE.device, MACHINE.compute_capability, 1 << 30)

    monkeypatch.setattr(opening, "open_cuda", Gpu)


@pytest.mark.usefixtures("orin")
@pytest.mark.parametrize(("damage", "error", "words"), DAMAGE)
def test_an_engine_damaged_after_the_bundle_was_opened_does_not_reach_tensorrt(
    own_bundle: Path, damage, error: type[BundleError], words: str
) -> None:
    bundle = with_engine(own_bundle)
    damage(own_bundle / ENGINE)
    with pytest.raises(error, match=words):
        opening.open_engine(bundle, image(bundle), "tensorrt")


@pytest.mark.usefixtures("orin")
def test_a_stale_engine_does_not_reach_tensorrt(own_bundle: Path) -> None:
    with_engine(own_bundle, source=(OTHER_HASH,))
    with rvl.Perceiver.open(own_bundle, backend="tensorrt") as perceiver, pytest.raises(EngineStale):
        perceiver.warm_up("image")


@pytest.mark.usefixtures("orin")
def test_the_tripwire_works(own_bundle: Path) -> None:
    bundle = with_engine(own_bundle)
    with pytest.raises(AssertionError, match="was reached"):
        opening.open_engine(bundle, image(bundle), "tensorrt")


@pytest.mark.usefixtures("orin")
def test_labels_are_embedded_without_an_engine(own_bundle: Path) -> None:
    with rvl.Perceiver.open(own_bundle, backend="tensorrt") as perceiver:
        assert perceiver.set_labels(["dog", "car"], "image") > 0
