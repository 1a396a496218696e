# SPDX-License-Identifier: Apache-2.0
"""The protobuf walk against models made by the onnx package, which shares no code with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny_bundle as maker
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorProto, helper, numpy_helper

from rvl_edge.bundle.external_data import check_external_data
from rvl_edge.bundle.manifest import FileRef
from rvl_edge.errors import BundleError, UnsafePath

FLOAT = TensorProto.FLOAT
SOUND = maker.encoder_graph((3, 32, 32), seed=0)


def outside(name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def graph(*nodes: onnx.NodeProto, initializer: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(
        list(nodes), "g", [], [helper.make_tensor_value_info("y", FLOAT, [2])], list(initializer)
    )


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def sparse(*, values: bool) -> onnx.SparseTensorProto:
    inside = helper.make_tensor("v", FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return onnx.SparseTensorProto(
        values=outside() if values else inside, indices=indices if values else outside()
    )


def in_initializer() -> onnx.ModelProto:
    return helper.make_model(graph(initializer=(outside(),)))


def in_constant() -> onnx.ModelProto:
    return helper.make_model(graph(constant(outside())))


def in_branch() -> onnx.ModelProto:
    inner = graph(constant(outside()))
    for _ in range(5):
        inner = graph(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=graph()))
    return helper.make_model(inner)


def in_function() -> onnx.ModelProto:
    function = helper.make_function(
        "local", "f", [], ["y"], [constant(outside())], [helper.make_opsetid("", 18)]
    )
    return helper.make_model(graph(), functions=[function])


def in_function_default() -> onnx.ModelProto:
    model = in_function()
    del model.functions[0].node[:]
    model.functions[0].attribute_proto.append(helper.make_attribute("value", outside()))
    return model


def in_sparse_initializer_values() -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.graph.sparse_initializer.append(sparse(values=True))
    return model


def in_sparse_initializer_indices() -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.graph.sparse_initializer.append(sparse(values=False))
    return model


def in_attribute_lists() -> onnx.ModelProto:
    return helper.make_model(graph(helper.make_node("Custom", [], ["y"], domain="d", many=[outside()])))


def in_sparse_attribute() -> onnx.ModelProto:
    return helper.make_model(graph(helper.make_node("Constant", [], ["y"], sparse_value=sparse(values=True))))


def in_graph_list() -> onnx.ModelProto:
    inner = graph(initializer=(outside(),))
    return helper.make_model(graph(helper.make_node("Custom", [], ["y"], domain="d", graphs=[inner])))


def in_training() -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.training_info.add().algorithm.CopyFrom(graph(initializer=(outside(),)))
    return model


@pytest.mark.parametrize(
    "make",
    [
        in_initializer,
        in_constant,
        in_branch,
        in_function,
        in_function_default,
        in_sparse_initializer_values,
        in_sparse_initializer_indices,
        in_attribute_lists,
        in_sparse_attribute,
        in_graph_list,
        in_training,
    ],
)
def test_finds_external_data_wherever_a_tensor_can_be(make: Callable[[], onnx.ModelProto]) -> None:
    with pytest.raises(UnsafePath, match=r"graphs/x\.onnx"):
        check_external_data(make().SerializeToString(), "graphs/x.onnx", None)


def test_location_without_flag_and_flag_without_location() -> None:
    flag, location = outside(), outside()
    del flag.external_data[:]
    location.ClearField("data_location")
    for tensor in (flag, location):
        with pytest.raises(UnsafePath):
            check_external_data(
                helper.make_model(graph(initializer=(tensor,))).SerializeToString(), "x", None
            )


def test_file_saved_by_onnx_with_external_data(tmp_path: Path) -> None:
    model = onnx.load_from_string(SOUND)
    onnx.save(
        model, tmp_path / "x.onnx", save_as_external_data=True, size_threshold=0, convert_attribute=True
    )
    with pytest.raises(UnsafePath):
        check_external_data((tmp_path / "x.onnx").read_bytes(), "x", None)


def test_accepts_sound_models() -> None:
    explicit = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    explicit.data_location = TensorProto.DEFAULT
    check_external_data(helper.make_model(graph(constant(explicit))).SerializeToString(), "x", None)
    check_external_data(SOUND, "x", None)


def test_weights_that_look_like_external_data_are_only_weights() -> None:
    bait = np.frombuffer(outside().SerializeToString().ljust(64, b"\0"), np.float32)
    tensor = numpy_helper.from_array(bait, "w")
    check_external_data(helper.make_model(graph(initializer=(tensor,))).SerializeToString(), "x", None)


@pytest.mark.parametrize(
    "content", [b"", b"ORTM" * 20, b"\x1c\0\0\0ORTM" + b"\1" * 64, b"<html>", b"\x3b", b"\x3a\xff\x7f"]
)
def test_what_is_no_onnx_model(content: bytes) -> None:
    with pytest.raises(BundleError):
        check_external_data(content, "x", None)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(SOUND) - 1), value=st.integers(0, 255), cut=st.booleans())
def test_damage_never_hides_external_data(at: int, value: int, cut: bool) -> None:
    """Whatever the walk accepts, protobuf's own parser must not find external data in."""
    damaged = SOUND[:at] if cut else SOUND[:at] + bytes([value]) + SOUND[at + 1 :]
    try:
        check_external_data(damaged, "x", None)
    except BundleError:
        return
    try:
        model = onnx.load_from_string(damaged)
    except Exception:
        return  # the runtime will not get further either
    assert not any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)


OWN = FileRef(path="graphs/x.onnx.data", sha256="0" * 64, size=100)


def contained(**entries: str) -> TensorProto:
    """Six floats (24 bytes) at byte 70 of the graph's own file, but for `entries`."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "x.onnx.data", "offset": "70", "length": "24", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def check(*tensors: TensorProto, weights: FileRef | None = OWN) -> None:
    content = helper.make_model(graph(initializer=tensors)).SerializeToString()
    check_external_data(content, "graphs/x.onnx", weights)


def test_accepts_tensors_of_the_graphs_own_file() -> None:
    check(contained(), contained(offset="0"), contained(offset="76"))
    packed = contained()
    packed.data_type = TensorProto.BFLOAT16
    packed.external_data[2].value = "12"
    check(packed)


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "y.onnx.data"},
        {"location": "graphs/x.onnx.data"},
        {"location": "./x.onnx.data"},
        {"location": "../graphs/x.onnx.data"},
        {"location": "/etc/passwd"},
        {"location": ""},
        {"offset": "77"},
        {"offset": "-1"},
        {"offset": "99999999999999999999999"},
        {"offset": "0x10"},
        {"offset": ""},
        {"length": "23"},
        {"length": "25"},
        {"length": "0"},
        {"checksum": "00"},
    ],
    ids=str,
)
def test_refuses_what_is_not_exactly_a_tensor_of_that_file(entries: dict[str, str]) -> None:
    with pytest.raises(UnsafePath, match="not its own"):
        check(contained(**entries))


def test_refuses_entries_that_are_missing() -> None:
    for at in range(3):
        lacking = contained()
        del lacking.external_data[at]
        with pytest.raises(UnsafePath):
            check(lacking)


@pytest.mark.parametrize("place", [0, 3])
def test_refuses_a_key_given_twice_wherever_the_stranger_stands(place: int) -> None:
    """Which of the two a runtime follows is its own affair."""
    twice = contained()
    entries = list(twice.external_data)
    entries.insert(place, StringStringEntryProto(key="location", value="/etc/passwd"))
    del twice.external_data[:]
    twice.external_data.extend(entries)
    with pytest.raises(UnsafePath):
        check(twice)


def field(number: int, content: bytes) -> bytes:
    """Of protobuf's wire type 2; fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize(("dims", "outcome"), [([2, 3], nullcontext()), ([2, 4], pytest.raises(UnsafePath))])
def test_packed_dimensions_count_as_others_do(dims: list[int], outcome: AbstractContextManager[Any]) -> None:
    """Python writes one field a dimension; parsers of proto2 must take them packed into one, too."""
    tensor = contained()
    del tensor.dims[:]
    packed = tensor.SerializeToString() + field(1, bytes(dims))
    assert list(TensorProto.FromString(packed).dims) == dims
    with outcome:
        check_external_data(field(7, field(5, packed)), "graphs/x.onnx", OWN)


def test_a_field_may_not_reach_beyond_the_message_it_is_in() -> None:
    initializer_of_40_bytes = bytes([5 << 3 | 2, 40])  # and its graph ends there
    behind = field(2, bytes(40))
    with pytest.raises(BundleError, match="40 bytes where 0 are left"):
        check_external_data(field(7, initializer_of_40_bytes) + behind, "graphs/x.onnx", None)


def test_refuses_types_of_unknown_size_and_empty_tensors() -> None:
    strange, empty = contained(), contained(length="0")
    strange.data_type = TensorProto.STRING
    empty.dims[:] = [0]
    for tensor in (strange, empty):
        with pytest.raises(UnsafePath):
            check(tensor)


def test_own_file_is_for_the_outermost_graphs_initializers_only() -> None:
    for model in (
        helper.make_model(graph(constant(contained()))),
        helper.make_model(
            graph(
                helper.make_node(
                    "If",
                    ["c"],
                    ["y"],
                    then_branch=graph(initializer=(contained(),)),
                    else_branch=graph(),
                )
            )
        ),
    ):
        with pytest.raises(UnsafePath):
            check_external_data(model.SerializeToString(), "graphs/x.onnx", OWN)
    with pytest.raises(UnsafePath):
        check(contained(), weights=None)
