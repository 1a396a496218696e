# SPDX-License-Identifier: Apache-2.0
"""The perception node's parameters: declared from one table, validated as a whole, applied elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from rvl_edge import BACKENDS, ColaSettings, DepthUnit, Gate, Modality, ThermalUnit
from rvl_edge.errors import ConfigError


def _parameter(
    name: str,
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    live: bool = True,
) -> Any:
    """A field of `Settings`; one that is not live is fixed once the node is configured."""
    about = {"name": name, "description": description, "low": low, "high": high, "live": live}
    return field(default=default, metadata=about)


def _max_age(sense: str, default: float) -> Any:
    about = "seconds by which a sense's newest sample may lie behind and still count in scene/labels"
    return _parameter(f"{sense}.max_age", default, about, low=0.01, high=3600.0)


@dataclass(frozen=True)
class Settings:
    """Every parameter's value. Times are in seconds, rates in Hz."""

    bundle: str = _parameter("bundle", "", "folder of the bundle; empty: the one inside the SDK", live=False)
    trusted_keys: tuple[str, ...] = _parameter(
        "trusted_keys",
        (),
        "files of public keys, one of which must have signed the bundle; none: it need not be signed",
        live=False,
    )
    modalities: tuple[str, ...] = _parameter(
        "modalities", (), "senses to use; none: all that the bundle has", live=False
    )
    backend: str = _parameter(
        "backend", BACKENDS[0], f"runtime of the encoders: {', '.join(BACKENDS)}", live=False
    )
    threads: int = _parameter(
        "threads", 0, "threads an inference uses; 0: the runtime chooses", low=0, high=256, live=False
    )
    autostart: bool = _parameter(
        "autostart", False, "configure and activate without being told to", live=False
    )
    labels: tuple[str, ...] = _parameter(
        "labels", (), "what to tell apart, for every sense; none: the bundle's own label sets"
    )
    templates: tuple[str, ...] = _parameter(
        "templates", (), "prompts with one {} each; none: the bundle's own"
    )
    use_cola: bool = _parameter(
        "use_cola", False, "rank by COLA, several views a sample, instead of by plain cosines"
    )
    cola_views: int = _parameter(
        "cola.views", 5, "views of a sample that COLA compares, itself included", low=1, high=64
    )
    cola_budget_ms: float = _parameter(
        "cola.budget_ms",
        0.0,
        "milliseconds to encode and refine a sample in, which views and labels shrink to meet; 0: no limit",
        low=0.0,
        high=1e6,
    )
    cola_gate: bool = _parameter(
        "cola.gate", False, "more than one view only where the first one is unsure or distrusted"
    )
    trust_monitors: bool = _parameter(
        "trust.monitors", True, "judge how far each result can be trusted; off: trust is not a number"
    )
    trust_sentinel: bool = _parameter(
        "trust.sentinel",
        False,
        "run the encoders from before hardening too, and distrust what they disagree about; costs their time",
    )
    trust_warn: float = _parameter(
        "trust.warn",
        0.5,
        "trust below which /diagnostics warns of a sense, with the reasons; 0: never",
        low=0.0,
        high=1.0,
    )
    stale_after: float = _parameter(
        "stale_after", 2.0, "seconds without a message until a sense is stale", low=0.1, high=3600.0
    )
    inference_timeout: float = _parameter(
        "inference_timeout", 10.0, "seconds until an inference has stalled", low=0.1, high=3600.0
    )
    stalled_exit: float = _parameter(
        "stalled_exit",
        60.0,
        "seconds that a sense may be stalled until the process ends itself, to be started anew; a lost GPU "
        "ends it at once; 0: neither does",
        low=0.0,
        high=3600.0,
    )
    image_max_rate: float = _parameter(
        "image.max_rate", 0.0, "most pictures a second to perceive; 0: as many as can be", low=0.0, high=1e3
    )
    image_max_age: float = _max_age("image", 1.0)
    thermal_max_age: float = _max_age("thermal", 1.0)
    depth_max_age: float = _max_age("depth", 1.0)
    video_max_age: float = _max_age("video", 3.0)
    audio_max_age: float = _max_age("audio", 3.0)
    thermal_max_rate: float = _parameter(
        "thermal.max_rate", 0.0, "most thermal pictures a second; 0: as many as can be", low=0.0, high=1e3
    )
    thermal_unit: str = _parameter(
        "thermal.unit", "", "agc8, counts, centikelvin, kelvin or celsius; empty: 8 bits agc8, others counts"
    )
    depth_max_rate: float = _parameter(
        "depth.max_rate", 0.0, "most depth pictures a second; 0: as many as can be", low=0.0, high=1e3
    )
    depth_unit: str = _parameter(
        "depth.unit", "", "millimetres or metres; empty: 16 bits millimetres, floats metres (REP 118)"
    )
    video_window: int = _parameter("video.window", 16, "pictures in a clip", low=1, high=256)
    video_hop: int = _parameter("video.hop", 8, "pictures from one clip to the next", low=1, high=256)
    video_max_gap: float = _parameter(
        "video.max_gap", 0.5, "seconds between two pictures that end a clip", low=0.001, high=60.0
    )
    audio_window: float = _parameter("audio.window", 5.0, "seconds of sound in a clip", low=0.05, high=60.0)
    audio_hop: float = _parameter("audio.hop", 1.0, "seconds from one clip to the next", low=0.01, high=60.0)
    audio_max_gap: float = _parameter(
        "audio.max_gap", 0.1, "seconds missing between two chunks that end a clip", low=0.001, high=10.0
    )

    @property
    def cola(self) -> ColaSettings | None:
        """How to rank by COLA; None where it is off.

        Raises:
            ConfigError: numbers that it cannot work with.
        """
        gate = Gate() if self.cola_gate else None
        settings = ColaSettings(views=self.cola_views, budget_ms=self.cola_budget_ms or None, gate=gate)
        return settings if self.use_cola else None

    @property
    def max_age(self) -> dict[Modality, float]:
        """How old each sense's newest sample may be to count in a scene."""
        return {each: getattr(self, f"{each}_max_age") for each in Modality}


_FIELDS: dict[str, Field[Any]] = {each.metadata["name"]: each for each in fields(Settings)}


def declare(node: Node) -> Settings:
    """Declare every parameter and read what the command line and files set.

    Raises:
        ConfigError: values that make no sense; the node should not start with them.
    """
    settings = Settings()
    for name, each in _FIELDS.items():
        parameter = node.declare_parameter(name, _to_ros(each.default), _descriptor(each))
        settings = _with(settings, parameter)
    check(settings)
    return settings


def changed(settings: Settings, parameters: Iterable[Parameter[Any]], *, configured: bool) -> Settings:
    """What the settings would become, if that makes sense. Parameters of others are passed over.

    Raises:
        ConfigError: why not.
    """
    new = settings
    for parameter in parameters:
        if parameter.name in _FIELDS:
            new = _with(new, parameter)
    fixed = [
        name
        for name, each in _FIELDS.items()
        if not each.metadata["live"] and getattr(new, each.name) != getattr(settings, each.name)
    ]
    if configured and fixed:
        raise ConfigError(
            f"{', '.join(fixed)} cannot change now", fix="clean the node up first, then set it and configure"
        )
    check(new)
    return new


def check(settings: Settings) -> None:
    """Raise ConfigError for what ranges and types alone do not catch."""
    for name, each in _FIELDS.items():
        value = getattr(settings, each.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} is not a number", got=value, expected=each.metadata["description"])
    _one_of("modalities", settings.modalities, [each.value for each in Modality])
    _one_of("backend", (settings.backend,), list(BACKENDS))
    _one_of("thermal.unit", (settings.thermal_unit,), ["", *(each.value for each in ThermalUnit)])
    _one_of("depth.unit", (settings.depth_unit,), ["", *(each.value for each in DepthUnit)])
    _ = settings.cola
    if settings.trust_sentinel and not settings.trust_monitors:
        raise ConfigError("trust.sentinel without trust.monitors", fix="set trust.monitors as well")
    if settings.templates and not settings.labels:
        raise ConfigError("templates without labels", fix="set labels too, in the same request")
    for name, hop, window in (
        ("video.hop", settings.video_hop, settings.video_window),
        ("audio.hop", settings.audio_hop, settings.audio_window),
    ):
        if hop > window:
            raise ConfigError(f"{name} would skip part of the stream", got=hop, expected=f"{window} at most")
    if settings.audio_max_age < settings.audio_hop:
        raise ConfigError(
            "audio.max_age would leave sound out of the scene between two clips",
            got=settings.audio_max_age,
            expected=f"audio.hop, {settings.audio_hop}, at least",
            fix="raise audio.max_age too, in the same request",
        )


def _one_of(name: str, values: Iterable[str], choices: list[str]) -> None:
    for value in values:
        if value not in choices:
            raise ConfigError(
                f"unknown value in {name}", got=repr(value), expected=", ".join(map(repr, choices))
            )


def _descriptor(each: Field[Any]) -> ParameterDescriptor:
    about = each.metadata
    descriptor = ParameterDescriptor(description=about["description"])
    if about["low"] is not None and isinstance(each.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=about["low"], to_value=about["high"])
        ]
    elif about["low"] is not None:
        descriptor.integer_range = [IntegerRange(from_value=about["low"], to_value=about["high"], step=1)]
    return descriptor


def _to_ros(value: Any) -> Any:
    # ROS cannot tell the type of an empty list, so none is one empty string.
    return (list(value) or [""]) if isinstance(value, tuple) else value


def _with(settings: Settings, parameter: Parameter[Any]) -> Settings:
    value = parameter.value
    if isinstance(_FIELDS[parameter.name].default, tuple):
        value = tuple(filter(None, value or ()))  # an empty list in YAML arrives as None: it has no type
    change: dict[str, Any] = {_FIELDS[parameter.name].name: value}
    return replace(settings, **change)
