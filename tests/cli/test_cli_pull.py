# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import ROOT, CommandLine
from hub_stand_in import HubStandIn, Repo

from rvl_edge.offline.towers import Encoder, EncoderCard, named_card, open_checkpoint, save_checkpoint

NAME = "LanguageBind/LanguageBind_Image"
CHUNK = 10 << 20  # huggingface_hub writes what it downloads in pieces of this size
WEIGHTS = random.Random(0).randbytes(CHUNK + (1 << 18))
FILES = {
    "config.json": b'{"model_type": "LanguageBindImage"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "README.md": b"licence: mit",
}


@pytest.fixture
def repo(hub: HubStandIn) -> Repo:
    """A small checkpoint with what other frameworks and the training left beside it."""
    made = hub.repos[NAME] = Repo()
    clutter = {
        "flax_model.msgpack": b"flax",
        "tf_model.h5": b"tf",
        "optimizer.bin": b"adam",
        ".gitattributes": b"",
    }
    made.commit({**FILES, "pytorch_model.bin": b"pickle", **clutter})
    return made


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "pulled.json"}


def test_what_a_checkpoint_needs_is_pinned_and_hashed(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo, tmp_path: Path
) -> None:
    outcome = rvl_edge("pull", "languagebind-image", "--json")
    folder = tmp_path / "checkpoints" / "LanguageBind_Image"
    assert (outcome.code, outcome.err) == (0, "")
    assert content(folder) == FILES
    pin = json.loads((folder / "pulled.json").read_text())
    assert (pin["repo"], pin["revision"], pin["commit"]) == (NAME, "main", repo.refs["main"])
    assert {each["name"]: (each["size"], each["sha256"]) for each in pin["files"]} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()
    }
    assert outcome.document["pulled"] == pin
    assert sorted(outcome.document["fetched"]) == sorted(FILES)


def test_files_come_from_the_commit_that_was_resolved_though_the_branch_moves_on(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    first = repo.refs["main"]
    repo.commit({**FILES, "model.safetensors": b"newer"})
    rvl_edge("pull", f"{NAME}@{first}", "--out", "first")
    assert content(rvl_edge.folder / "first") == FILES
    assert {each.path.split("/")[4] for each in hub.requests if "/resolve/" in each.path} == {first}


def test_the_same_again_downloads_nothing_and_needs_no_hub_for_a_commit(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    rvl_edge("pull", NAME)
    hub.requests.clear()
    assert rvl_edge("pull", NAME, "--json").document["fetched"] == []
    assert hub.downloads() == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert rvl_edge("pull", f"{NAME}@{repo.refs['main']}").code == 0
    refused = rvl_edge("pull", NAME)
    assert refused.code == 3
    assert "HF_HUB_OFFLINE" in refused.err


def test_an_altered_file_is_found_and_only_it_is_fetched_again(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = rvl_edge.folder / "here"
    rvl_edge("pull", NAME, "--out", folder)
    (folder / "model.safetensors").write_bytes(b"Weights")
    with monkeypatch.context() as offline:
        offline.setenv("HF_HUB_OFFLINE", "1")
        outcome = rvl_edge("pull", f"{NAME}@{repo.refs['main']}", "--out", folder, "--json")
        assert outcome.code == 3
        assert (outcome.document["error"]["code"], outcome.document["error"]["got"]) == (
            "hash-mismatch",
            "model.safetensors",
        )
    hub.requests.clear()
    assert rvl_edge("pull", NAME, "--out", folder, "--json").document["fetched"] == ["model.safetensors"]
    assert len(hub.downloads()) == 1
    assert content(folder) == FILES


def test_a_newer_revision_replaces_the_folder_and_keeps_what_did_not_change(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    folder = rvl_edge.folder / "here"
    rvl_edge("pull", NAME, "--out", folder)
    newer = {"config.json": FILES["config.json"], "pytorch_model.bin": b"newer"}
    commit = repo.commit(newer)
    outcome = rvl_edge("pull", NAME, "--out", folder, "--json")
    assert outcome.document["fetched"] == ["pytorch_model.bin"]
    assert outcome.document["pulled"]["commit"] == commit
    assert content(folder) == newer
    assert [path.name for path in rvl_edge.folder.glob(".here*")] == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    repo.commit({**FILES, "model.safetensors": WEIGHTS})
    hub.cuts = [CHUNK + 1000]
    assert rvl_edge("pull", NAME, "--out", "here").code == 0
    assert [each.range for each in hub.downloads() if "/cdn/" in each.path] == [None, f"bytes={CHUNK}-"]
    assert content(rvl_edge.folder / "here")["model.safetensors"] == WEIGHTS


def test_a_killed_pull_shows_nothing_and_the_next_one_goes_on(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    repo.commit({**FILES, "model.safetensors": WEIGHTS})
    hub.stall_after = CHUNK + 1000
    command = [sys.executable, "-m", "rvl_edge.cli", "pull", NAME, "--out", "here"]
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, cwd=rvl_edge.folder, env={**os.environ, "PYTHONPATH": search}, stderr=subprocess.DEVNULL
    ) as process:
        partial = rvl_edge.folder / ".here.pulling"
        assert hub.stalled.wait(60)
        while not any(path.stat().st_size >= CHUNK for path in partial.glob("model.safetensors.*")):
            assert process.poll() is None
        busy = rvl_edge("pull", NAME, "--out", "here")
        process.send_signal(signal.SIGKILL)
    hub.stall_after = None
    hub.resume.set()
    assert busy.code == 3
    assert "another pull is at work" in busy.err
    assert not (rvl_edge.folder / "here").exists()
    hub.requests.clear()
    outcome = rvl_edge("pull", NAME, "--out", "here", "--json")
    assert "config.json" not in outcome.document["fetched"]
    assert [each.range for each in hub.downloads() if "/cdn/" in each.path] == [f"bytes={CHUNK}-"]
    assert content(rvl_edge.folder / "here")["model.safetensors"] == WEIGHTS
    assert not partial.exists()


def test_a_proxy_that_ignores_ranges_costs_a_second_download_and_no_wrong_byte(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    repo.commit({**FILES, "model.safetensors": WEIGHTS})
    hub.ignores_ranges = True
    hub.cuts = [CHUNK + 1000]
    assert rvl_edge("pull", NAME, "--out", "here").code == 0
    assert content(rvl_edge.folder / "here")["model.safetensors"] == WEIGHTS


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_bytes_that_the_hub_does_not_list_are_refused(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo, name: str
) -> None:
    right = FILES[name]
    hub.served[right] = right[:-1] + b"!"
    outcome = rvl_edge("pull", NAME, "--out", "here", "--json")
    assert outcome.code == 3
    assert outcome.document["error"]["code"] == "hash-mismatch"
    assert name in outcome.document["error"]["what"]
    assert not (rvl_edge.folder / "here").exists()
    hub.served.clear()
    assert rvl_edge("pull", NAME, "--out", "here").code == 0


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.gated = True
    refused = rvl_edge("pull", NAME, "--json").document["error"]
    assert refused["code"] == "pull"
    assert "gated" in refused["what"]
    assert "HF_TOKEN" in refused["fix"]
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.requests.clear()
    assert rvl_edge("pull", NAME).code == 0
    tokens = {each.path.split("/")[1] == "cdn": each.token for each in hub.requests if NAME in each.path}
    assert tokens == {False: "Bearer hf_secret", True: None}


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ("LanguageBind/LanguageBind_Imgae", "hub-not-found", "try LanguageBind/LanguageBind_Image"),
        (f"{NAME}@v9", "hub-not-found", "v9"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(
    rvl_edge: CommandLine, asked: str, code: str, said: str
) -> None:
    outcome = rvl_edge("pull", asked, "--json")
    error = outcome.document["error"]
    assert (outcome.code, error["code"]) == (2, code)
    assert said in f"{error['got']} {error['fix']}"


def test_a_hub_out_of_reach_says_what_to_check(
    rvl_edge: CommandLine, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    outcome = rvl_edge("pull", NAME)
    assert outcome.code == 3
    assert "the hub cannot be reached" in outcome.err
    assert "HF_ENDPOINT" in outcome.err


def test_a_repository_without_a_checkpoint_is_refused_before_any_download(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    repo.commit({"config.json": b"", "flax_model.msgpack": b""})
    outcome = rvl_edge("pull", NAME, "--json")
    assert (outcome.code, outcome.document["error"]["code"]) == (3, "checkpoint")
    assert hub.downloads() == []


def test_a_file_larger_than_the_disk_is_refused_before_any_download(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    hub.sizes["model.safetensors"] = 1 << 60
    outcome = rvl_edge("pull", NAME)
    assert outcome.code == 3
    assert "too little space" in outcome.err
    assert hub.downloads() == []


def test_a_mirror_that_does_not_say_what_a_file_must_be_is_not_believed(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    hub.sizes["config.json"] = None
    outcome = rvl_edge("pull", NAME)
    assert outcome.code == 3
    assert "the hub does not say" in outcome.err
    assert hub.downloads() == []


def test_a_disk_that_fills_up_keeps_what_came(rvl_edge: CommandLine, hub: HubStandIn, repo: Repo) -> None:
    repo.commit({**FILES, "model.safetensors": WEIGHTS})
    limited = f"ulimit -f {CHUNK // 1024}; exec {sys.executable} -m rvl_edge.cli pull {NAME} --out here"
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=rvl_edge.folder,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "the disk took no more" in done.stderr
    hub.requests.clear()
    assert rvl_edge("pull", NAME, "--out", "here").code == 0
    assert [each.range for each in hub.downloads() if "/cdn/" in each.path] == [f"bytes={CHUNK}-"]


def test_a_folder_of_other_files_is_never_replaced(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    folder = rvl_edge.folder / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    outcome = rvl_edge("pull", NAME, "--out", folder)
    assert outcome.code == 2
    assert "notes.txt" in outcome.err
    assert content(folder) == {"notes.txt": b"mine"}
    (folder / "notes.txt").unlink()
    assert rvl_edge("pull", NAME, "--out", folder).code == 0
    hub.repos["other/one"] = Repo()
    hub.repos["other/one"].commit(FILES)
    assert "another repository" in rvl_edge("pull", "other/one", "--out", folder).err


def test_a_dry_run_says_what_is_missing_and_writes_nothing(
    rvl_edge: CommandLine, hub: HubStandIn, repo: Repo
) -> None:
    outcome = rvl_edge("pull", NAME, "--dry-run", "--json")
    assert outcome.document["missing"] == sum(map(len, FILES.values()))
    assert list(rvl_edge.folder.rglob("config.json")) == []
    assert hub.downloads() == []
    rvl_edge("pull", NAME)
    assert rvl_edge("pull", NAME, "--dry-run", "--json").document["missing"] == 0


def test_without_huggingface_hub_the_verb_says_what_to_install(rvl_edge: CommandLine) -> None:
    outcome = rvl_edge("pull", NAME, "--json", blocked=("huggingface_hub",))
    assert outcome.code == 3
    assert outcome.document["error"]["code"] == "missing-dependency"
    assert "rvl-edge-sdk[hub]" in outcome.document["error"]["fix"]


@pytest.mark.usefixtures("repo")
def test_no_torch_is_needed(rvl_edge: CommandLine) -> None:
    assert rvl_edge("pull", NAME, blocked=("torch",)).code == 0


def test_what_was_pulled_opens_as_the_encoder_that_was_published(
    rvl_edge: CommandLine, hub: HubStandIn, tmp_path: Path
) -> None:
    card = named_card("tiny-image")
    assert isinstance(card, EncoderCard)
    published = Encoder(card).eval()
    save_checkpoint(published, tmp_path / "published", dtype=torch.float32)
    hub.repos[NAME] = Repo()
    hub.repos[NAME].commit(content(tmp_path / "published"))
    assert rvl_edge("pull", NAME, "--out", "here").code == 0
    opened = open_checkpoint(tmp_path / "here")
    assert isinstance(opened, Encoder)
    batch = torch.rand(2, 3, card.preprocess.size, card.preprocess.size)
    with torch.no_grad():
        torch.testing.assert_close(opened(batch), published(batch))
