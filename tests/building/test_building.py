# SPDX-License-Identifier: Apache-2.0
"""Engines that tensorrt_rtx really builds, and what becomes of a bundle when a build does not go well."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import tiny_bundle as maker
from onnx import TensorProto, helper
from rtx import needs_rtx

from rvl_edge.backends.tensorrt.flavours import import_tensorrt
from rvl_edge.bundle import Bundle, verify
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.bundle.writing import amend_bundle
from rvl_edge.errors import BackendError, BundleError, ConfigError, MissingDependency
from rvl_edge.offline.building import build_engines
from rvl_edge.offline.building.builder import Settings, build_engine
from rvl_edge.offline.building.monitor import Progress
from rvl_edge.offline.building.recipe import BuildRecipe
from rvl_edge.types import Modality

ONE = (BatchRange(smallest=1, best=1, largest=2),)
RECIPE = BuildRecipe(
    senses=(Modality.IMAGE,), compute_capabilities=("8.6",), batches=ONE, optimization_level=0
)


def settings(*capabilities: str) -> Settings:
    return Settings(ONE, capabilities or ("8.6",), None, optimization_level=0)


def build(graph: bytes, progress: Progress | None = None, *capabilities: str):
    trt = import_tensorrt("tensorrt-rtx")
    files = GraphFiles(graph, None)
    return build_engine(trt, files, "graphs/x.onnx", settings(*capabilities), progress or Progress("x", None))


@needs_rtx
def test_an_engine_is_built_into_the_bundle(own_bundle: Path) -> None:
    before = {each.path: each.sha256 for each in Bundle.open(own_bundle).manifest.files()}
    steps: list[tuple[str, int, int]] = []
    report = build_engines(RECIPE, own_bundle, on_step=lambda *step: steps.append(step[:3]))
    bundle = Bundle.open(own_bundle)
    (built,) = report.engines
    (entry,) = bundle.manifest.senses[Modality.IMAGE].engines
    assert entry == built.entry
    assert entry.source == bundle.manifest.senses[Modality.IMAGE].source
    assert (entry.flavour, entry.compute_capabilities, entry.device) == ("tensorrt-rtx", ("8.6",), None)
    assert entry.profiles == ONE
    assert len(bundle.read(entry.engine)) == entry.engine.size > 1000
    assert before.items() <= {each.path: each.sha256 for each in bundle.manifest.files()}.items()
    assert not [each for each in verify(own_bundle).checks if str(each.verdict) != "pass"]
    assert steps[-1][1] == steps[-1][2]
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


@needs_rtx
def test_what_is_there_and_fits_is_left(own_bundle: Path) -> None:
    first = build_engines(RECIPE, own_bundle).engines[0]
    again = build_engines(RECIPE, own_bundle).engines[0]
    assert (again.entry, again.seconds) == (first.entry, 0)
    larger = RECIPE.model_copy(update={"batches": (BatchRange(smallest=1, best=1, largest=3),)})
    changed = build_engines(larger, own_bundle).engines[0]
    assert changed.seconds > 0
    assert Bundle.open(own_bundle).manifest.senses[Modality.IMAGE].engines == (changed.entry,)


@needs_rtx
def test_a_graph_that_changed_is_built_again(own_bundle: Path) -> None:
    build_engines(RECIPE, own_bundle)
    bundle = Bundle.open(own_bundle)
    image = bundle.manifest.senses[Modality.IMAGE]
    path = image.graph.path

    def name(files):
        changed = image.model_copy(update={"graph": files[path]})
        senses = {**bundle.manifest.senses, Modality.IMAGE: changed}
        return bundle.manifest.model_copy(update={"senses": senses})

    amend_bundle(bundle, {path: maker.encoder_graph(maker.SHAPES[Modality.IMAGE], seed=77)}, name)
    built = build_engines(RECIPE, own_bundle).engines[0]
    assert built.seconds > 0
    assert (
        built.entry.source == Bundle.open(own_bundle).manifest.senses[Modality.IMAGE].source != image.source
    )


def _squared(kind: int) -> bytes:
    """(B, 4) -> a softmax of it in float32, times a matrix in another type."""
    matrix = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], list(range(16)))
    nodes = [
        helper.make_node("Softmax", ["pixel_values"], ["soft"]),
        helper.make_node("Cast", ["soft"], ["x"], to=kind),
        helper.make_node("Cast", ["w"], ["m"], to=kind),
        helper.make_node("MatMul", ["x", "m"], ["y"]),
        helper.make_node("Cast", ["y"], ["embedding"], to=TensorProto.FLOAT),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 4])
        for name in ("pixel_values", "embedding")
    ]
    graph = helper.make_graph(nodes, "squared", ends[:1], ends[1:], [matrix])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


@needs_rtx
@pytest.mark.parametrize(
    ("kind", "named"),
    [(TensorProto.FLOAT, "float"), (TensorProto.FLOAT16, "half"), (TensorProto.BFLOAT16, "bf16")],
)
def test_every_layer_computes_in_the_type_that_the_graph_says(kind: int, named: str) -> None:
    layers = json.loads(build(_squared(kind)).layers)
    assert layers["network"]["softmax float"] == 1
    assert layers["network"][f"matrix_multiply {named}"] == 1
    assert "embedding" in "".join(layers["engine"])


@needs_rtx
def test_a_node_that_cannot_be_read_is_named() -> None:
    model = onnx.load_from_string(_squared(TensorProto.FLOAT))
    model.graph.node[3].op_type, model.graph.node[3].name = "NoSuchOperator", "block_7"
    with pytest.raises(BackendError, match=r"cannot read graphs/x\.onnx.*block_7 \(NoSuchOperator\)"):
        build(model.SerializeToString())


@needs_rtx
def test_bytes_that_are_no_graph() -> None:
    with pytest.raises(BackendError, match="cannot read"):
        build(b"no ONNX")


@needs_rtx
def test_a_gpu_that_the_package_does_not_build_for_is_refused_with_those_it_does() -> None:
    with pytest.raises(ConfigError, match=r"got compute capability 8\.7, expected .*8\.6"):
        build(_squared(TensorProto.FLOAT), None, "8.6", "8.7")


@needs_rtx
def test_a_type_that_the_gpu_lacks_is_explained() -> None:
    with pytest.raises(
        BackendError, match=r"cannot build graphs/x\.onnx.*bfloat16 needs compute capability 8\.0"
    ):
        build(_squared(TensorProto.BFLOAT16), None, "7.5")


@needs_rtx
def test_a_build_can_be_stopped() -> None:
    progress = Progress("x", None)
    progress.stopped.set()
    with pytest.raises(BackendError, match="was stopped"):
        build(maker.encoder_graph((3, 32, 32), seed=0), progress)


@needs_rtx
def test_weights_beside_the_graph_are_read_from_the_verified_bytes(tmp_path: Path) -> None:
    onnx.save(
        onnx.load_from_string(maker.encoder_graph((3, 32, 32), seed=0)),
        tmp_path / "x.onnx",
        save_as_external_data=True,
        location="x.onnx.data",
        size_threshold=64,
    )
    files = GraphFiles((tmp_path / "x.onnx").read_bytes(), (tmp_path / "x.onnx.data").read_bytes())
    (tmp_path / "x.onnx.data").unlink()
    trt = import_tensorrt("tensorrt-rtx")
    built = build_engine(trt, files, "graphs/x.onnx", settings(), Progress("x", None))
    assert len(built.content) > 1000


@needs_rtx
def test_the_bundle_is_as_it_was_when_the_disk_is_full(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (own_bundle / "manifest.json").read_bytes()
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.suffix == ".engine":
            write(path, bytes(content)[:100])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BundleError, match="No space left on device"):
        build_engines(RECIPE, own_bundle)
    assert (own_bundle / "manifest.json").read_bytes() == before
    assert not (own_bundle / "engines").exists()
    assert [each.name for each in own_bundle.parent.iterdir() if each.name.endswith(".partial")] == []


@needs_rtx
def test_a_second_build_is_sent_away(own_bundle: Path) -> None:
    with (own_bundle.parent / f".{own_bundle.name}.building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another process is building"):
            build_engines(RECIPE, own_bundle)
    assert build_engines(RECIPE, own_bundle).engines


@needs_rtx
def test_a_build_that_is_killed_leaves_the_bundle_and_the_next_one_goes_on(own_bundle: Path) -> None:
    code = (
        "import sys; from rvl_edge.offline.building import build_engines;"
        "from rvl_edge.offline.building.recipe import BuildRecipe;"
        "tell = lambda *step: (print('building', flush=True), sys.stdin.read());"
        "build_engines(BuildRecipe(compute_capabilities=('8.6',)), sys.argv[1], on_step=tell)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(own_bundle)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"building\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert verify(own_bundle).ok
    assert build_engines(RECIPE, own_bundle).engines[0].seconds > 0
    assert verify(own_bundle).ok


@needs_rtx
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_bundle_in_a_folder_that_cannot_be_written_to(own_bundle: Path) -> None:
    own_bundle.parent.chmod(0o555)
    try:
        with pytest.raises(BundleError, match="cannot be written"):
            build_engines(RECIPE, own_bundle)
    finally:
        own_bundle.parent.chmod(0o755)


@needs_rtx
def test_a_sense_that_the_bundle_lacks(own_bundle: Path) -> None:
    manifest = Bundle.open(own_bundle).manifest
    senses = {each: entry for each, entry in manifest.senses.items() if each is not Modality.DEPTH}
    amend_bundle(Bundle.open(own_bundle), {}, lambda _: manifest.model_copy(update={"senses": senses}))
    with pytest.raises(ConfigError, match="no such sense: got depth"):
        build_engines(RECIPE.model_copy(update={"senses": (Modality.DEPTH,)}), own_bundle)


def test_without_the_package_the_command_is_named(own_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingDependency, match=r"pip install 'rvl-edge-sdk\[tensorrt-rtx\]'"):
        build_engines(RECIPE, own_bundle)


def test_tensorrt_builds_only_where_its_gpu_is(own_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Package:
        __version__ = "10.3.0"

    monkeypatch.setitem(sys.modules, "tensorrt", Package)  # type: ignore[arg-type]
    recipe = BuildRecipe(flavour="tensorrt", target="orin-nano", compute_capabilities=("8.7",))
    with pytest.raises(ConfigError, match="for orin-nano, without --on-device"):
        build_engines(recipe, own_bundle)


@pytest.mark.parametrize("release", ["8.6.1", "10.2.0.post1"])
def test_a_tensorrt_that_is_too_old(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Package:
        __version__ = release

    monkeypatch.setitem(sys.modules, "tensorrt", Package)  # type: ignore[arg-type]
    with pytest.raises(MissingDependency, match=r"expected 10\.3 or later"):
        import_tensorrt("tensorrt")


def test_a_robot_that_builds_needs_neither_torch_nor_onnx() -> None:
    modules = "rvl_edge.cli.build, rvl_edge.offline.building"
    code = f"import sys, {modules}; assert not {{'torch', 'onnx'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
