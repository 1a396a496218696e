# SPDX-License-Identifier: Apache-2.0
"""An encoder: loaded when first needed, one inference at a time."""

from __future__ import annotations

import threading

from rvl_edge.backends import DEFAULT_BACKEND, ENGINE_BACKENDS, Session, open_session
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import GraphEntry, TextEntry
from rvl_edge.errors import BackendError
from rvl_edge.types import FloatArray, Modality


class GraphEncoder:
    """Model input -> embedding by one graph of a bundle.

    Args:
        bundle: where the graph is.
        graph: its entry.
        input_shape: axes of one model input, without the batch.
        threads, backend: as `open_session`.
    """

    def __init__(
        self,
        bundle: Bundle,
        graph: GraphEntry,
        input_shape: tuple[int, ...],
        threads: int | None,
        backend: str,
    ) -> None:
        self._bundle = bundle
        self._graph = graph
        self._input_shape = input_shape
        self._threads = threads
        self._backend = backend
        self._session: Session | None = None
        self._closed = False
        self._lock = threading.Lock()

    def encode(self, batch: FloatArray) -> FloatArray:
        """Encode (B, ...) float32 model inputs; returns (B, D) float32, rows of unit norm."""
        with self._lock:
            return self._loaded().run(batch)

    def warm_up(self) -> None:
        """Load the graph if need be and run it once."""
        with self._lock:
            self._loaded().warm_up()

    def close(self) -> None:
        """Free the graph, after the inference in progress."""
        with self._lock:
            self._closed = True
            if self._session is not None:
                self._session.close()
                self._session = None

    def _loaded(self) -> Session:
        if self._closed:
            raise BackendError("this Perceiver was closed", fix="open another")
        if self._session is None:
            self._session = self._load()
        return self._session

    def _load(self) -> Session:
        session = load_graph(self._bundle, self._graph, self._threads, self._backend)
        expected = (None, *self._input_shape)
        if session.io.input.shape != expected:
            session.close()
            raise BackendError(
                f"{self._graph.graph.path} and its preprocessing disagree",
                got=session.io.input.shape,
                expected=expected,
                fix="export the bundle again",
            )
        return session


class SenseEncoder(GraphEncoder):
    """The encoder of one sense of a bundle.

    Args:
        bundle: where the graph is.
        modality: the sense; must be in the bundle.
        threads, backend: as `open_session`.
    """

    def __init__(self, bundle: Bundle, modality: Modality, threads: int | None, backend: str) -> None:
        self.modality = modality
        self.entry = bundle.manifest.senses[modality]
        super().__init__(bundle, self.entry, self.entry.input_shape, threads, backend)


def load_graph(bundle: Bundle, entry: GraphEntry, threads: int | None, backend: str) -> Session:
    """Open one graph of a bundle; see `open_session`.

    With a backend that runs engines it is the graph's engine (see `open_engine`). A text tower without one
    runs on the default backend: labels are embedded when they change, not with every sample.
    """
    flavour = ENGINE_BACKENDS.get(backend)
    if flavour is not None and (entry.engines or not isinstance(entry, TextEntry)):
        from rvl_edge.backends.tensorrt.opening import open_engine

        return open_engine(bundle, entry, flavour)
    if flavour is not None:
        backend = DEFAULT_BACKEND
    files = bundle.load(entry)
    return open_session(
        files.graph,
        name=entry.graph.path,
        dim=bundle.manifest.embedding_dim,
        weights=files.weights,
        threads=threads,
        backend=backend,
    )
