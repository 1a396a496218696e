# SPDX-License-Identifier: Apache-2.0
"""The hub, by `huggingface_hub`: what a commit holds, and what a refusal of it means."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from huggingface_hub import HfApi, errors
from huggingface_hub.hf_api import RepoSibling
from pydantic import ValidationError

from rvl_edge._validation import complaints
from rvl_edge.errors import HubNotFound, PullError
from rvl_edge.offline.pulling.naming import Source, suggestion
from rvl_edge.offline.pulling.pinned import HubFile, Pin
from rvl_edge.offline.pulling.selecting import select_files


def look_up(source: Source) -> Pin:
    """Resolve a revision to its commit, and list what a checkpoint needs of it.

    Raises:
        HubNotFound: no such repository or revision.
        PullError: the hub cannot be reached, or gives no access.
        CheckpointError: the repository holds no checkpoint that can be read.
    """
    with told(source):
        info = HfApi().model_info(source.repo, revision=source.revision, files_metadata=True)
    siblings = {each.rfilename: each for each in info.siblings or ()}
    wanted = [siblings[name] for name in select_files(tuple(siblings), source.repo)]
    try:
        return Pin(source.repo, source.revision, cast(str, info.sha), tuple(map(_listed, wanted)))
    except ValidationError as error:
        raise PullError(
            f"the hub does not say what the bytes of {source} must be",
            got=complaints(error),
            expected="a commit, and size and hash of every file",
            fix="unset HF_ENDPOINT, if it names a mirror",
        ) from None


def _listed(file: RepoSibling) -> HubFile:
    if file.lfs is not None:
        return HubFile(file.rfilename, file.lfs.size, sha256=file.lfs.sha256)
    return HubFile(file.rfilename, cast(int, file.size), git_oid=file.blob_id)


@contextmanager
def told(source: Source) -> Iterator[None]:
    """Tell what the hub, the network or the disk refuses as an error of ours."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise PullError(
            f"{source.repo} is gated, and this account has no access",
            got=_status(error),
            fix="accept its terms on its page of the hub, then set HF_TOKEN to a token that may read it",
        ) from None
    except errors.RevisionNotFoundError:
        raise HubNotFound(
            f"{source.repo} has no such revision",
            got=source.revision,
            expected="a branch, a tag or a commit of 40 hex digits",
            fix=f"leave it out for the newest: {source.repo}",
        ) from None
    except errors.RepositoryNotFoundError:
        raise HubNotFound(
            "the hub has no such repository, or only for those who may see it",
            got=source.repo,
            fix=f"{suggestion(source.repo)}, or set HF_TOKEN if it is private",
        ) from None
    except errors.OfflineModeIsEnabled:
        raise PullError(
            f"HF_HUB_OFFLINE is set, so the hub was not asked for {source}",
            fix="unset it; what was pulled is checked offline by OWNER/NAME@COMMIT of its pulled.json",
        ) from None
    except errors.HfHubHTTPError as error:
        forbidden = error.response is not None and error.response.status_code in (401, 403)
        raise PullError(
            f"the hub refused {source.repo}",
            got=_status(error),
            fix="check HF_TOKEN" if forbidden else "run the same command again later",
        ) from None
    except (OSError, errors.HTTPError) as error:  # of requests or httpx, whichever the library uses
        if disk_is_full(error):
            raise PullError(
                "the disk took no more",
                got=error,
                fix="free space; the same command goes on from where it stopped",
            ) from None
        raise PullError(
            "the hub cannot be reached",
            got=str(error) or type(error).__name__,
            fix="check network, proxies and HF_ENDPOINT; the same command goes on from where it stopped",
        ) from None


def disk_is_full(error: Exception) -> bool:
    """Whether it is the disk, a quota or a limit that took no more."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _status(error: errors.HfHubHTTPError) -> str:
    said = error.server_message or ""
    code = "" if error.response is None else f"HTTP {error.response.status_code}"
    return f"{code}: {said}" if said else code
