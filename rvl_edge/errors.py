# SPDX-License-Identifier: Apache-2.0
"""One error tree: every message says what is wrong, what came against what was expected, and how to mend it.

`InputError` is about one sample and never ends a node; `BundleError` is about files and refuses to start;
`ConfigError` is about what the user asked for; `BackendError` is about the runtime underneath.
"""

from __future__ import annotations

from typing import ClassVar


class RvlEdgeError(Exception):
    """Base of every error raised on purpose.

    Args:
        what: what is wrong, in one sentence without a full stop.
        got: the value or property that came in.
        expected: what would have been right.
        fix: the command or change that mends it.
    """

    code: ClassVar[str] = "error"
    page: ClassVar[str] = "docs/errors/README.md"

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, fix: str | None = None
    ) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        sides = [f"got {self.got}"] if self.got is not None else []
        sides += [f"expected {self.expected}"] if self.expected is not None else []
        text = f"{self.what}: {', '.join(sides)}" if sides else self.what
        return f"{text}. Fix: {self.fix}" if self.fix else text


class ConfigError(RvlEdgeError):
    """A setting, argument or recipe that cannot be used."""

    code = "config"
    page = "docs/errors/config.md"


class MissingDependency(RvlEdgeError):
    """An optional package that this call needs is not installed."""

    code = "missing-dependency"
    page = "docs/errors/config.md"


class GateFailed(RvlEdgeError):
    """A measured property missed the threshold that was set for it; what was there before stays."""

    code = "gate-failed"
    page = "docs/errors/bundle.md"


class BundleError(RvlEdgeError):
    """A bundle that cannot be trusted or read; nothing of it is loaded."""

    code = "bundle"
    page = "docs/errors/bundle.md"


class BundleNotFound(BundleError):
    """No manifest at the given path."""

    code = "bundle-not-found"


class ManifestInvalid(BundleError):
    """The manifest is no JSON, breaks the schema, or is of a version this release cannot read."""

    code = "manifest-invalid"


class HashMismatch(BundleError):
    """A file is missing or its bytes are not those the manifest was written for."""

    code = "hash-mismatch"


class UnsafePath(BundleError):
    """A path in the manifest, a link, or a graph's external data points outside the bundle."""

    code = "unsafe-path"


class CalibrationStale(BundleError):
    """What was fitted on other graphs, or on numbers that this release computes otherwise."""

    code = "calibration-stale"


class SignatureError(BundleError):
    """A bundle that must be signed by a trusted key, and is not, or was changed after it was signed."""

    code = "signature"
    page = "docs/errors/engine.md"


class EngineError(BundleError):
    """A TensorRT engine of the bundle that must not be loaded; it was not deserialised."""

    page = "docs/errors/engine.md"


class EngineMissing(EngineError):
    """No engine was built for this kind of TensorRT."""

    code = "engine-missing"


class EngineStale(EngineError):
    """The engine was built from another graph or other weights than the bundle holds now."""

    code = "engine-stale"


class EngineVersion(EngineError):
    """The engine was built by another release of TensorRT than the one that is installed."""

    code = "engine-version"


class EngineDevice(EngineError):
    """The engine was built for another GPU than the one that is here."""

    code = "engine-device"


class CheckpointError(BundleError):
    """A checkpoint whose keys, shapes or config do not agree with the architecture."""

    code = "checkpoint"
    page = "docs/errors/checkpoint.md"


class PullError(RvlEdgeError):
    """The hub, the network or the disk did not give what was asked for; what came so far is kept."""

    code = "pull"
    page = "docs/errors/checkpoint.md"


class HubNotFound(PullError):
    """No such repository or revision on the hub."""

    code = "hub-not-found"


class InputError(RvlEdgeError):
    """One sample that cannot be used; counted, reported, and survived."""

    code = "input"
    page = "docs/errors/input.md"


class BadShape(InputError):
    """Wrong number of axes, zero size, or a geometry that disagrees with the data."""

    code = "bad-shape"


class BadDtype(InputError):
    """An array of a type that this sense does not read."""

    code = "bad-dtype"


class BadEncoding(InputError):
    """A picture or sound encoding that is not supported."""

    code = "bad-encoding"


class NonFinite(InputError):
    """NaN or infinity where a number must be, beyond what the sense's policy tolerates."""

    code = "non-finite"


class TooShort(InputError):
    """Fewer samples, frames or bytes than the smallest usable amount."""

    code = "too-short"


class BackendError(RvlEdgeError):
    """The runtime could not load or run a graph."""

    code = "backend"
    page = "docs/errors/backend.md"


class BadOutput(BackendError):
    """A graph returned something that is no embedding: NaN, zero norm, or another size."""

    code = "bad-output"


class GpuOutOfMemory(BackendError):
    """The GPU has not enough memory for a graph or a batch; what ran before still runs."""

    code = "gpu-out-of-memory"


class GpuLost(BackendError):
    """The GPU's context is gone, and with it every later call of this process: end it and start again."""

    code = "gpu-lost"
