# SPDX-License-Identifier: Apache-2.0
"""Bundle format v1: the schema of `manifest.json`.

A bundle is a folder that holds everything a robot needs and nothing that runs code on load:

    manifest.json  graphs/*.onnx  text/text.onnx  text/tokenizer.json  MODEL_CARD.md

`engines/`, `gates/` and `manifest.sig` are there where TensorRT engines were built, frames for their gates
were crafted, and the bundle was signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rvl_edge.errors import ConfigError
from rvl_edge.preprocess.spec import AudioSpec, PreprocessSpec, VideoSpec
from rvl_edge.types import Modality

SCHEMA_VERSION: Final = 1
MANIFEST_NAME = "manifest.json"

Precision = Literal["float32", "float16", "bfloat16"]
QuantisedPrecision = Literal["int8", "float8"]  # of the products with weights, by explicit Q/DQ in the graph
EngineFlavour = Literal["tensorrt", "tensorrt-rtx"]
ComputeCapability = Annotated[str, Field(pattern=r"^[1-9][0-9]?\.[0-9]$")]
BundleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


def weights_path(graph: str) -> str:
    """Where the external data of a graph lies, if it has any."""
    return f"{graph}.data"


class FileRef(_Entry):
    """A file of the bundle: POSIX path below its folder, SHA-256 of its bytes, size in bytes."""

    path: Annotated[str, Field(min_length=1, max_length=255)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class BatchRange(_Entry):
    """Batch sizes that an engine takes, and the one it is fastest at: an optimisation profile."""

    smallest: Annotated[int, Field(ge=1)]
    best: Annotated[int, Field(ge=1)]
    largest: Annotated[int, Field(ge=1, le=4096)]

    @model_validator(mode="after")
    def _ascends(self) -> BatchRange:
        if not self.smallest <= self.best <= self.largest:
            raise ValueError(f"must ascend, got {self.smallest}, {self.best}, {self.largest}")
        return self


class EngineEntry(_Entry):
    """A TensorRT engine, what it was built from, and what it runs on; see `bundle/engines.py`.

    `source` is the `source` that the graph had when the engine was built.
    """

    engine: FileRef
    layers: Annotated[FileRef | None, Field(description="what the layers became, for people")] = None
    source: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    target: Annotated[BundleName, Field(description="the recipe's name for the machine, such as orin-nano")]
    flavour: EngineFlavour
    version: Annotated[str, Field(min_length=1, description="of TensorRT; an engine runs on no other")]
    compute_capabilities: Annotated[tuple[ComputeCapability, ...], Field(min_length=1)]
    device: Annotated[
        str | None,
        Field(description="GPU, and board if it has a name; None: any of these compute capabilities"),
    ] = None
    profiles: Annotated[tuple[BatchRange, ...], Field(min_length=1)]
    optimization_level: Annotated[int, Field(ge=0, le=5)]


class GraphEntry(_Entry):
    """An ONNX graph, float32 at its borders (token ids: int64) whatever it computes in.

    `weights` is the one file of external data that the graph may name, for models beyond protobuf's 2 GB. It
    lies beside the graph and is called like it, with `.data` appended.
    """

    graph: FileRef
    weights: FileRef | None = None
    precision: Precision | QuantisedPrecision = "float32"
    engines: tuple[EngineEntry, ...] = ()

    @property
    def source(self) -> tuple[str, ...]:
        """SHA-256 of the graph, and of its external data if it has any: what an engine is bound to."""
        return tuple(each.sha256 for each in (self.graph, self.weights) if each is not None)

    @model_validator(mode="after")
    def _weights_lie_beside(self) -> GraphEntry:
        if self.weights is not None and self.weights.path != weights_path(self.graph.path):
            raise ValueError(f"weights must be {weights_path(self.graph.path)!r}, got {self.weights.path!r}")
        return self


class SenseEntry(GraphEntry):
    """One encoder: graph `pixel_values` (B, ...) float32 -> `embedding` (B, D) float32 of unit norm."""

    preprocess: PreprocessSpec
    logit_scale: Annotated[float, Field(gt=0, description="multiplies cosines before the softmax")]
    templates: Annotated[tuple[str, ...], Field(min_length=1, description="prompts with one {} each")]
    label_set: Annotated[str, Field(description="label set in force when the bundle is opened")]
    sentinel: Annotated[
        GraphEntry | None,
        Field(description="the encoder before it was hardened, of the same inputs, whose disagreement warns"),
    ] = None

    gate_frames: Annotated[
        FileRef | None,
        Field(description="labelled and attacked frames with the graph's answers, for gates of its engines"),
    ] = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Axes of one model input, without the batch."""
        spec = self.preprocess
        if isinstance(spec, AudioSpec):
            return 3, spec.num_mel_bins, spec.target_length
        if isinstance(spec, VideoSpec):
            return 3, spec.num_frames, spec.size, spec.size
        return 3, spec.size, spec.size


class TextEntry(GraphEntry):
    """The text tower: `input_ids` (B, context_length) int64 -> `embedding` (B, D) float32 of unit norm."""

    tokenizer: FileRef
    context_length: Annotated[int, Field(ge=4, le=1024)]


class LabelSet(_Entry):
    """Class names that can be ranked together, and the senses that were trained on them."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)]
    simulated: bool = Field(default=False, description="True where the training clips were simulated")
    synonyms: Annotated[
        dict[str, tuple[str, ...]],
        Field(description="other names for a label, by which another sense may know the same thing"),
    ] = {}


class Manifest(_Entry):
    """What `Bundle.open` reads and checks before anything else of the folder is touched."""

    schema_version: Literal[1]
    name: BundleName
    version: str
    embedding_dim: Annotated[int, Field(ge=2, le=8192)]
    senses: Annotated[dict[Modality, SenseEntry], Field(min_length=1)]
    text: TextEntry
    label_sets: dict[str, LabelSet]
    concepts: Annotated[
        dict[str, tuple[Modality, ...]],
        Field(description="every phrase the senses were trained on; others are answered with a warning"),
    ]
    open_vocabulary: Annotated[
        bool, Field(description="trained on free text: no phrase is answered with a warning")
    ] = False
    model_card: FileRef
    calibration: Annotated[
        FileRef | None, Field(description="temperatures, thresholds and monitors; see bundle/calibration.py")
    ] = None
    reports: Annotated[
        dict[str, FileRef], Field(description="what was measured of this bundle, such as parity, by name")
    ] = {}
    provenance: dict[str, str] = Field(description="tool versions, recipe and checkpoint hashes, for people")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Manifest:
        for modality, sense in self.senses.items():
            if sense.preprocess.kind != modality.value:
                raise ValueError(f"senses.{modality}.preprocess is of kind {sense.preprocess.kind!r}")
            label_set = self.label_sets.get(sense.label_set)
            if label_set is None:
                raise ValueError(f"senses.{modality}.label_set names {sense.label_set!r}, not in label_sets")
            if modality not in label_set.modalities:
                raise ValueError(f"label_sets.{sense.label_set}.modalities lacks {modality}, which uses it")
        paths = [reference.path for reference in self.files()]
        if len(set(paths)) < len(paths):
            raise ValueError("two entries name the same file")
        return self

    def check_senses(self, senses: Iterable[Modality]) -> None:
        """Refuse to go on with senses that the bundle lacks.

        Raises:
            ConfigError: names them, and those that there are.
        """
        absent = [each for each in senses if each not in self.senses]
        if absent:
            raise ConfigError(
                f"bundle {self.name} has no such sense",
                got=", ".join(absent),
                expected=", ".join(self.senses),
                fix="name senses that the bundle has, or leave them out for all",
            )

    def graphs(self) -> tuple[GraphEntry, ...]:
        """The ONNX graphs: one a sense, the sentinels, and the text tower's."""
        sentinels = [each.sentinel for each in self.senses.values() if each.sentinel is not None]
        return (*self.senses.values(), *sentinels, self.text)

    def files(self) -> tuple[FileRef, ...]:
        """Every file the bundle consists of, besides the manifest itself."""
        graphs = [
            each for entry in self.graphs() for each in (entry.graph, entry.weights) if each is not None
        ]
        engines = [
            each
            for entry in self.graphs()
            for built in entry.engines
            for each in (built.engine, built.layers)
            if each is not None
        ]
        others = [each.gate_frames for each in self.senses.values()] + [self.calibration]
        return (
            *graphs,
            *engines,
            self.text.tokenizer,
            self.model_card,
            *(each for each in others if each is not None),
            *self.reports.values(),
        )
