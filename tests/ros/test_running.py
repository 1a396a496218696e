# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from xml.etree import ElementTree

import pytest

pytest.importorskip("rvl_edge_ros.running", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.running import SEGMENT_SIZE, TRANSPORT_PROFILE, choose_transport, why_no_room

pytestmark = pytest.mark.ros

VARIABLES = ("FASTDDS_BUILTIN_TRANSPORTS", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def chosen() -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*VARIABLES, "ROS_DISTRO"):
        monkeypatch.setenv(name, "")  # restored at the end, whatever is set in between
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("distro", "variable"),
    [(None, VARIABLES[1]), ("kilted", VARIABLES[1]), ("humble", VARIABLES[2]), ("jazzy", VARIABLES[2])],
)
def test_the_profile_is_given_to_the_fast_dds_in_force(
    untouched: pytest.MonkeyPatch, distro: str | None, variable: str
) -> None:
    if distro:
        untouched.setenv("ROS_DISTRO", distro)
    choose_transport()
    assert {name: os.environ[name] for name in VARIABLES if name in os.environ} == {
        variable: str(TRANSPORT_PROFILE)
    }


@pytest.mark.parametrize("variable", VARIABLES)
def test_what_the_user_chose_is_kept(untouched: pytest.MonkeyPatch, variable: str) -> None:
    untouched.setenv(variable, "mine")
    choose_transport()
    assert chosen() == {variable: "mine"}


def test_the_profile_has_room_for_a_full_hd_picture_and_speaks_udp_too() -> None:
    root = ElementTree.parse(TRANSPORT_PROFILE).getroot()
    space = {"dds": "http://www.eprosima.com"}
    assert {each.text for each in root.iterfind(".//dds:type", space)} == {"SHM", "UDPv4"}
    (segment,) = root.iterfind(".//dds:segment_size", space)
    (message,) = root.iterfind(".//dds:maxMessageSize", space)
    assert int(segment.text or 0) == SEGMENT_SIZE >= 2 * 1920 * 1080 * 3
    assert SEGMENT_SIZE > int(message.text or 0) >= 1920 * 1080 * 3


def test_three_nodes_fit_into_the_64_mb_of_a_container_and_less_than_one_is_told() -> None:
    assert why_no_room(64 * 2**20 - 2 * SEGMENT_SIZE) == ""
    assert "has 3 MB free" in why_no_room(3_000_000)
    assert "--shm-size" in why_no_room(SEGMENT_SIZE - 1)
