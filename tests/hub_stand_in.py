# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the Hugging Face hub: what a download asks of its HTTP API, with faults to order.

Large files are redirected to another host, as the hub redirects to its CDN.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".h5", ".msgpack")
_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/revision/(?P<revision>.+))?")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Repo:
    """Commits and the names that point at them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def commit(self, files: dict[str, bytes], *, ref: str = "main") -> str:
        """Add a commit; returns its hash."""
        commit = hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits[commit] = files
        self.refs[ref] = commit
        return commit

    def find(self, revision: str) -> str | None:
        """The commit behind a branch, tag or commit."""
        return self.refs.get(revision, revision if revision in self.commits else None)


class HubStandIn(ThreadingHTTPServer):
    """Serves repositories on a port of this machine.

    Attributes:
        repos: by name.
        requests: all that came.
        served: what is sent in place of a file, by its right content.
        cuts: the next downloads of large files break off after so many bytes each.
        stall_after: a download stops after so many bytes until `resume` is set; `stalled` tells that it did.
        ignores_ranges: as some proxies do.
        sizes: what is claimed of a file's size, by name.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.served: dict[bytes, bytes] = {}
        self.cuts: list[int] = []
        self.stall_after: int | None = None
        self.stalled, self.resume = threading.Event(), threading.Event()
        self.ignores_ranges = False
        self.sizes: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"

    def downloads(self) -> list[Request]:
        """The requests for files, without those that were redirected."""
        return [
            each
            for each in self.requests
            if each.path.startswith("/cdn/") or ("/resolve/" in each.path and not each.path.endswith(LARGE))
        ]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: tests read `requests`."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        token = self.headers.get("Authorization")
        self.server.requests.append(Request(self.command, path, self.headers.get("Range"), token))
        if path.startswith("/cdn/"):
            self._send_large(path)
        elif match := _FILE.fullmatch(path):
            self._send_file(**match.groupdict())
        elif match := _API.fullmatch(path):
            self._send_info(
                match["repo"], match["revision"] or "main", blobs="blobs=true" in self.path.lower()
            )
        else:
            self._refuse(404, "EntryNotFound", path)

    do_HEAD = do_GET

    def _send_info(self, repo: str, revision: str, *, blobs: bool) -> None:
        found = self._find(repo, revision)
        if found is None:
            return
        commit, files = found
        siblings = []
        for name, content in files.items():
            size = self.server.sizes.get(name, len(content))
            entry: dict[str, Any] = {"rfilename": name}
            if blobs:
                entry |= {"size": size, "blobId": _git_oid(content)}
            if blobs and name.endswith(LARGE):
                entry["lfs"] = {"sha256": _sha256(content), "size": size, "pointerSize": 134}
            siblings.append(entry)
        self._send(json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode())

    def _send_file(self, repo: str, revision: str, name: str) -> None:
        found = self._find(repo, revision)
        if found is None:
            return
        commit, files = found
        content = files[name]
        if self.server.repos[repo].gated and not self.headers.get("Authorization"):
            self._refuse(401, "GatedRepo", f"Access to model {repo} is restricted.")
        elif name.endswith(LARGE):
            self.send_response(302)
            self.send_header(
                "Location", f"http://localhost:{self.server.server_port}/cdn/{repo}/{commit}/{name}"
            )
            self.send_header("X-Linked-Etag", f'"{_sha256(content)}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            sent = self.server.served.get(content, content)
            self._send(sent, ETag=f'"{_git_oid(content)}"', **{"X-Repo-Commit": commit})

    def _send_large(self, path: str) -> None:
        owner, name, commit, file = path.removeprefix("/cdn/").split("/")
        right = self.server.repos[f"{owner}/{name}"].commits[commit][file]
        content = self.server.served.get(right, right)
        start = 0
        if (asked := self.headers.get("Range")) and not self.server.ignores_ranges:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{_sha256(right)}"')
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.cuts:
            self.wfile.write(content[start : self.server.cuts.pop(0)])
            self.close_connection = True
        elif self.server.stall_after is not None:
            self.wfile.write(content[start : self.server.stall_after])
            self.server.stalled.set()
            self.server.resume.wait()
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def _find(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        known = self.server.repos.get(repo)
        commit = known.find(revision) if known else None
        if known is None:
            self._refuse(404 if self.headers.get("Authorization") else 401, "RepoNotFound", "not found")
        elif commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return commit, known.commits[commit]
        return None

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(b"", status=status, **{"X-Error-Code": code, "X-Error-Message": message})

    def _send(self, content: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
