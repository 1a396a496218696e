# SPDX-License-Identifier: Apache-2.0
"""Who is asked: a checkpoint by torch, which can be attacked, or a bundle by its runtime, as it will run."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rvl_edge.bundle.manifest import MANIFEST_NAME
from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.labels import read_templates
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.exam import Exam
from rvl_edge.offline.evaluation.results import Subject
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.offline.hardening.attacks.text.interface import Read
from rvl_edge.offline.hardening.attacks.text.reading import Reader
from rvl_edge.offline.hardening.domains import Domain
from rvl_edge.offline.pretraining.texts import TextReader
from rvl_edge.offline.towers import Encoder, open_text, read_tokenizer
from rvl_edge.perceiver import Perceiver
from rvl_edge.text import Tokenizer, UntrainedLabelWarning, make_anchors
from rvl_edge.types import FloatArray, Modality

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class Judge:
    """Who is asked.

    Attributes:
        subject: the same for the result.
        anchors: (K, D), by which it tells classes.
        logits: samples of the domain -> logits.
        device: where samples are wanted.
    """

    subject: Subject
    anchors: FloatArray
    logits: Logits
    device: torch.device


def text_anchors(
    text: Path,
    labels: Path,
    modality: Modality,
    classes: tuple[str, ...],
    attack: Callable[[Read, Sequence[str]], list[str]] | None = None,
) -> FloatArray:
    """Anchors (K, D) of classes as the robot makes them, by a text checkpoint.

    Args:
        text: checkpoint of a text encoder with its tokenizer.
        labels: folder with `templates.yaml`.
        modality: whose prompts.
        classes: K names.
        attack: what becomes of all prompts before they are embedded.

    Raises:
        CheckpointError: the text encoder or tokenizer cannot be read.
        ConfigError: no templates, or none for the sense.
    """
    templates = read_templates(labels)
    if modality not in templates:
        raise ConfigError("the templates have no prompts for this sense", got=modality)
    encoder = open_text(text)
    tokenizer = Tokenizer(read_tokenizer(text).encode(), encoder.card.text_config.max_position_embeddings)
    reader = TextReader(encoder, tokenizer)

    def embed(prompts: Sequence[str]) -> FloatArray:
        return reader(prompts if attack is None else attack(Reader(encoder, tokenizer), prompts))

    return make_anchors(classes, templates[modality], embed=embed, trained=None, version=0).matrix


def checkpoint_judge(
    name: str,
    encoder: Encoder,
    anchors: FloatArray,
    domain: Domain,
    *,
    precision: str = "float32",
    device: torch.device | None = None,
) -> Judge:
    """An encoder to be attacked and asked.

    Args:
        name: of the method, for tables.
        encoder: in evaluation mode.
        anchors: (K, D).
        domain: where its samples come from.
        precision: of the tower, `float32` or `bfloat16`.
        device: to compute on; None is the CPU.

    Raises:
        ConfigError: anchors of another space.
    """
    if anchors.shape[1] != encoder.card.projection_dim:
        raise ConfigError(
            "text and encoder do not share a space",
            got=anchors.shape[1],
            expected=encoder.card.projection_dim,
            fix="name the text encoder that it was trained with by --text",
        )
    place = device or torch.device("cpu")
    scale = float(encoder.logit_scale.detach().exp())
    subject = Subject(
        name=name,
        kind="checkpoint",
        sha256=_digest(encoder),
        anchors_sha256=hashlib.sha256(np.ascontiguousarray(anchors).data).hexdigest(),
        scale=scale,
        precision="bfloat16" if precision == "bfloat16" else "float32",
    )
    table = torch.from_numpy(anchors.copy()).to(place)
    logits = Classifier(encoder.to(place), domain, table, scale, PRECISIONS[precision])
    return Judge(subject, anchors, logits, place)


def bundle_judge(name: str, perceiver: Perceiver, exam: Exam, backend: str) -> Judge:
    """A bundle's encoder, asked as on the robot: no gradients, so black boxes and replays only."""
    modality = exam.modality
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedLabelWarning)
        perceiver.set_labels(exam.question.labels, modality)
    anchors = np.ascontiguousarray(perceiver.anchors(modality).matrix)
    scale = perceiver.bundle.manifest.senses[modality].logit_scale

    def logits(samples: Tensor) -> Tensor:
        inputs = exam.domain.model_input(samples).numpy()
        return torch.from_numpy(scale * perceiver.encode_batch(modality, inputs) @ anchors.T)

    manifest = (perceiver.bundle.root / MANIFEST_NAME).read_bytes()
    subject = Subject(
        name=name,
        kind="bundle",
        sha256=hashlib.sha256(manifest).hexdigest(),
        anchors_sha256=hashlib.sha256(anchors.data).hexdigest(),
        scale=scale,
        precision="float32",
        backend=backend,
    )
    return Judge(subject, anchors, logits, torch.device("cpu"))


def _digest(encoder: Encoder) -> str:
    """Over card and weights: heads, activation and preprocessing change the answers, and no weight."""
    digest = hashlib.sha256(encoder.card.model_dump_json().encode())
    for _, value in sorted(encoder.state_dict().items()):
        digest.update(np.ascontiguousarray(value.float().numpy()).data)
    return digest.hexdigest()
