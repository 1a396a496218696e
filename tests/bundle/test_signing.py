# SPDX-License-Identifier: Apache-2.0
"""A bundle that must be signed is refused before its manifest is parsed, whatever is wrong with it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from shutil import which

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography")

import rvl_edge as rvl
from rvl_edge.bundle import Bundle, verify
from rvl_edge.bundle.signing import SIGNATURE_NAME, new_key, sign
from rvl_edge.bundle.writing import add_reports
from rvl_edge.errors import BundleError, ConfigError, SignatureError, UnsafePath


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Private and public key."""
    private = tmp_path_factory.mktemp("keys") / "team"
    return private, new_key(private)


def test_a_signed_bundle_opens(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    sign(own_bundle, keys[0])
    assert Bundle.open(own_bundle, trusted=[keys[1]]).manifest == Bundle.open(own_bundle).manifest
    assert verify(own_bundle, trusted=[keys[1]]).ok
    with rvl.Perceiver.open(own_bundle, trusted=[keys[1]]):
        pass


def test_one_trusted_key_of_several_is_enough(
    own_bundle: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    sign(own_bundle, keys[0])
    Bundle.open(own_bundle, trusted=[new_key(tmp_path / "other"), keys[1]])


def test_an_unsigned_bundle_is_refused_where_a_signature_is_required(
    own_bundle: Path, keys: tuple[Path, Path]
) -> None:
    with pytest.raises(SignatureError, match=r"not signed.*rvl-edge sign"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_no_trusted_key_trusts_nobody(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    sign(own_bundle, keys[0])
    with pytest.raises(SignatureError, match="no key is trusted"):
        Bundle.open(own_bundle, trusted=[])


def test_another_signer_is_refused(own_bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    new_key(tmp_path / "stranger")
    sign(own_bundle, tmp_path / "stranger")
    with pytest.raises(SignatureError, match="key that is not trusted"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_a_stranger_cannot_put_a_trusted_name_on_a_signature(
    own_bundle: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    new_key(tmp_path / "stranger")
    trusted = sign(own_bundle, keys[0])
    sign(own_bundle, tmp_path / "stranger")
    path = own_bundle / SIGNATURE_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": trusted}))
    with pytest.raises(SignatureError, match="not the one that was signed"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_a_changed_manifest_is_refused_before_it_is_parsed(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    sign(own_bundle, keys[0])
    (own_bundle / "manifest.json").write_text("{ this is no JSON")
    with pytest.raises(SignatureError, match="not the one that was signed"):
        Bundle.open(own_bundle, trusted=[keys[1]])


@pytest.mark.parametrize(
    "content", ["", "{}", "signed, honestly", '{"key": "ab", "ed25519": "cd"}', "[" * 5000]
)
def test_a_signature_that_is_none(own_bundle: Path, keys: tuple[Path, Path], content: str) -> None:
    (own_bundle / SIGNATURE_NAME).write_text(content)
    with pytest.raises(SignatureError, match="is no signature"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_a_pipe_as_a_signature_is_refused_without_waiting_for_its_writer(
    own_bundle: Path, keys: tuple[Path, Path]
) -> None:
    os.mkfifo(own_bundle / SIGNATURE_NAME)
    with pytest.raises(UnsafePath, match=r"manifest\.sig is no regular file"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_a_changed_bundle_loses_its_signature(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    sign(own_bundle, keys[0])
    add_reports(own_bundle, {"new": b"{}"})
    with pytest.raises(SignatureError, match="not signed"):
        Bundle.open(own_bundle, trusted=[keys[1]])


def test_keys_are_for_their_owner_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="cannot be written"):
        new_key(path)
    assert path.read_bytes() == before


def test_a_public_key_is_not_overwritten_either(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = new_key(path)
    path.rename(tmp_path / "safe")
    before = public.read_bytes()
    with pytest.raises(ConfigError, match=r"cannot be written.*key\.pub"):
        new_key(path)
    assert public.read_bytes() == before
    assert not path.exists()


def test_the_wrong_kind_of_key_is_named(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="no private key"):
        sign(own_bundle, keys[1])
    with pytest.raises(ConfigError, match="no public key"):
        Bundle.open(own_bundle, trusted=[keys[0]])
    with pytest.raises(ConfigError, match="cannot be read"):
        Bundle.open(own_bundle, trusted=[own_bundle / "nothing"])


def test_a_signature_that_cannot_be_written(own_bundle: Path, keys: tuple[Path, Path]) -> None:
    (own_bundle / SIGNATURE_NAME).mkdir()
    with pytest.raises(BundleError, match="cannot be written"):
        sign(own_bundle, keys[0])


@pytest.mark.skipif(which("openssl") is None, reason="no openssl to compare with")
def test_openssl_makes_the_same_signature(own_bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    import base64

    sign(own_bundle, keys[0])
    message = tmp_path / "message"
    message.write_bytes(b"rvl-edge bundle manifest v1\n" + (own_bundle / "manifest.json").read_bytes())
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(keys[0]), "-in", str(message)]
    signature = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    kept = json.loads((own_bundle / SIGNATURE_NAME).read_text())["ed25519"]
    assert base64.b64encode(signature).decode() == kept
