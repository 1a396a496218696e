# SPDX-License-Identifier: Apache-2.0
"""No name that a supported TensorRT lacks is used without asking for it first."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "rvl_edge"
SOURCES = sorted([*(ROOT / "backends/tensorrt").glob("*.py"), *(ROOT / "offline/building").glob("*.py")])
# NVIDIA's list of what 11.0 removed, where a strongly typed graph leaves anything of it to be tempted by.
REMOVED = {
    *("EXPLICIT_BATCH", "FP16", "BF16", "INT8", "FP8", "INT4", "FP4", "OBEY_PRECISION_CONSTRAINTS"),
    *(
        "PREFER_PRECISION_CONSTRAINTS",
        "DIRECT_IO",
        "REJECT_EMPTY_ALGORITHMS",
        "WEIGHTLESS",
        "QuantizationFlag",
    ),
    *("IInt8Calibrator", "IInt8EntropyCalibrator", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator"),
    *("IInt8LegacyCalibrator", "int8_calibrator", "set_calibration_profile", "dynamic_range"),
    *("set_dynamic_range", "set_output_type", "reset_precision", "compute_precision", "algorithm_selector"),
    *("platform_has_fast_fp16", "platform_has_fast_int8", "device_memory_size", "weight_streaming_budget"),
    *("supports_model", "parse_with_weight_descriptors", "max_workspace_size", "build_engine_with_config"),
    *("build_cuda_engine", "max_batch_size", "execute_async", "execute_async_v2", "get_binding_shape"),
    *(
        "binding_is_input",
        "num_bindings",
        "set_binding_shape",
        "create_execution_context_without_device_memory",
    ),
}


def attributes(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_removed_name_is_used(path: Path) -> None:
    assert not {node.attr for node in attributes(path)} & REMOVED


def test_the_scan_sees_the_builder_and_the_runner() -> None:
    seen = {node.attr for path in SOURCES for node in attributes(path)}
    assert {
        "STRONGLY_TYPED",
        "build_serialized_network",
        "deserialize_cuda_engine",
        "execute_async_v3",
    } <= seen


def test_every_name_taken_from_the_package_is_there() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    missing = [
        f"{path.name}: {ast.unparse(node)}"
        for path in SOURCES
        for node in attributes(path)
        if ast.unparse(node.value) in ("trt", "self._trt") and not hasattr(trt, node.attr)
    ]
    assert not missing


# What is called on objects of each class; held to the wheel that is installed.
METHODS = {
    "Builder": "create_network create_builder_config create_optimization_profile build_serialized_network",
    "OnnxParser": "parse parse_from_file num_errors get_error",
    "ParserError": "desc node_name node_operator",
    "IBuilderConfig": "progress_monitor builder_optimization_level profiling_verbosity set_memory_pool_limit "
    "add_optimization_profile create_timing_cache get_timing_cache set_timing_cache "
    "num_compute_capabilities set_compute_capability",
    "ITimingCache": "combine serialize",
    "INetworkDefinition": "get_input num_layers get_layer",
    "ILayer": "name type num_outputs get_output",
    "Runtime": "deserialize_cuda_engine",
    "ICudaEngine": "num_io_tensors get_tensor_name get_tensor_mode get_tensor_shape get_tensor_dtype "
    "get_tensor_profile_shape num_optimization_profiles device_memory_size_v2 create_execution_context "
    "create_engine_inspector create_runtime_config",
    "IRuntimeConfig": "create_runtime_cache get_runtime_cache set_runtime_cache "
    "set_execution_context_allocation_strategy dynamic_shapes_kernel_specialization_strategy",
    "IRuntimeCache": "serialize deserialize",
    "IExecutionContext": "set_device_memory set_optimization_profile_async set_input_shape "
    "set_tensor_address execute_async_v3 is_stream_capturable",
    "EngineInspector": "get_engine_information",
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_that_is_called_is_there(name: str) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    assert not [each for each in METHODS[name].split() if not hasattr(getattr(trt, name), each)]


def test_the_table_names_only_what_is_used() -> None:
    used = {node.attr for path in SOURCES for node in attributes(path)}
    used.add("is_stream_capturable")  # by getattr
    assert not {each for names in METHODS.values() for each in names.split()} - used
