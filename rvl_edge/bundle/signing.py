# SPDX-License-Identifier: Apache-2.0
"""Ed25519 over the manifest's bytes, in `manifest.sig` beside it.

The manifest names the SHA-256 of every other file, so one signature covers the bundle. Keys are PEM files as
`openssl genpkey -algorithm ed25519` writes them.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._files import write_atomic
from rvl_edge._validation import complaints
from rvl_edge.bundle.files import open_regular
from rvl_edge.bundle.manifest import MANIFEST_NAME
from rvl_edge.errors import BundleError, ConfigError, MissingDependency, SignatureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_NAME = "manifest.sig"
_MAX_SIGNATURE = 4096  # bytes
# What is signed begins with this, so that no signature made for anything else counts here.
_PURPOSE = b"rvl-edge bundle manifest v1\n"
_RESTORE = "get the bundle again from who signed it"


class _Signature(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`fingerprint` of the signer's key")]
    ed25519: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$", description="base64 of 64 bytes")]


def new_key(path: Path) -> Path:
    """Write a new private key, for its owner's eyes only, and its public key beside it as `NAME.pub`.

    Returns:
        The public key's file.

    Raises:
        ConfigError: there is a file of either name already, or the folder cannot be written to.
        MissingDependency: cryptography is not installed.
    """
    serialization, ed25519 = _cryptography()
    key = ed25519.Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(f"{path.name}.pub")
    try:
        if os.path.lexists(public):  # maybe of a private key that was moved away: robots trust it
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(public))
        # Created for its owner alone: a file made first and locked after could be read in between.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            os.fsync(descriptor)
        write_atomic(
            public,
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )
    except OSError as error:
        raise ConfigError("the key cannot be written", got=error, fix="name another file") from None
    return public


def sign(root: Path, key: Path) -> str:
    """Sign a bundle's manifest as it is now; a signature already there is replaced.

    Args:
        root: the bundle's folder.
        key: a private key.

    Returns:
        The fingerprint of the key.

    Raises:
        ConfigError: the key cannot be read, or is no Ed25519 private key.
        BundleError: the signature cannot be written.
        MissingDependency: cryptography is not installed.
    """
    serialization, ed25519 = _cryptography()
    try:
        private = serialization.load_pem_private_key(_read_key(key), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise _no_key(key, "private", error) from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise _no_key(key, "private", type(private).__name__)
    manifest = (root / MANIFEST_NAME).read_bytes()
    signature = _Signature(
        key=fingerprint(private.public_key()),
        ed25519=base64.b64encode(private.sign(_PURPOSE + manifest)).decode(),
    )
    try:
        write_atomic(root / SIGNATURE_NAME, (signature.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise BundleError("the signature cannot be written", got=error, fix="check the folder") from None
    return signature.key


def check_signature(root: Path, manifest: bytes, trusted: Sequence[Path]) -> None:
    """Refuse a manifest that none of the trusted keys signed.

    Args:
        root: the bundle's folder.
        manifest: the manifest's bytes, the same that are parsed after.
        trusted: files of public keys.

    Raises:
        SignatureError: no signature, one by another key, or one of another manifest.
        UnsafePath: the signature is no regular file.
        ConfigError: a key cannot be read, or is no Ed25519 public key.
        MissingDependency: cryptography is not installed.
    """
    from_file = [_public_key(path) for path in trusted]
    keys = {fingerprint(key): key for key in from_file}
    signature = _read_signature(root)
    key = keys.get(signature.key)
    if key is None:
        raise SignatureError(
            "the bundle is signed by a key that is not trusted here",
            got=f"key {signature.key[:16]}",
            expected=" or ".join(each[:16] for each in keys) or "no key is trusted",
            fix="trust the signer's public key if you know whose it is, or sign it with your own: "
            "rvl-edge sign BUNDLE --key KEY",
        )
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature.ed25519), _PURPOSE + manifest)
    except InvalidSignature:
        raise SignatureError(
            "the manifest is not the one that was signed",
            got=f"SHA-256 {hashlib.sha256(manifest).hexdigest()}",
            fix=f"{_RESTORE}; if you changed it yourself: rvl-edge sign BUNDLE --key KEY",
        ) from None


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key's 32 bytes, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _read_signature(root: Path) -> _Signature:
    path = root / SIGNATURE_NAME
    try:
        with open_regular(path, SIGNATURE_NAME) as file:
            content = file.read(_MAX_SIGNATURE + 1)
    except FileNotFoundError:
        raise SignatureError(
            "the bundle is not signed",
            expected=SIGNATURE_NAME,
            fix="rvl-edge sign BUNDLE --key KEY, with a key that is trusted here",
        ) from None
    except OSError as error:
        raise SignatureError(f"{path} cannot be read", got=error, fix="check its permissions") from None
    try:
        return _Signature.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise SignatureError(f"{path} is no signature", got=complaints(error), fix=_RESTORE) from None


def _public_key(path: Path) -> Ed25519PublicKey:
    serialization, ed25519 = _cryptography()
    try:
        key = serialization.load_pem_public_key(_read_key(path))
    except ValueError as error:
        raise _no_key(path, "public", error) from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise _no_key(path, "public", type(key).__name__)
    public: Ed25519PublicKey = key
    return public


def _read_key(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except (OSError, RuntimeError) as error:  # RuntimeError: in the home of nobody
        raise ConfigError(
            "the key cannot be read", got=error, fix="check the path; `rvl-edge keygen FILE` makes a new one"
        ) from None


def _no_key(path: Path, kind: str, got: object) -> ConfigError:
    return ConfigError(
        f"{path} is no {kind} key",
        got=got,
        expected=f"an Ed25519 {kind} key in PEM, without a passphrase",
        fix="`rvl-edge keygen FILE` writes FILE (private) and FILE.pub (public)",
    )


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingDependency(
            "signatures need cryptography", got=error, fix="pip install 'rvl-edge-sdk[signing]'"
        ) from error
    return serialization, ed25519
