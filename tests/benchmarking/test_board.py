# SPDX-License-Identifier: Apache-2.0
"""What a board says of its clocks, from trees of files as boards have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvl_edge.benchmarking import Board, Machine

CONF = """# comment
< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=2 NAME=30W >
< PM_CONFIG DEFAULT=2 >
"""
ORIN = {
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
    "etc/nvpmodel.conf": CONF,
    "var/lib/nvpmodel/status": "pmode:0001 fmode:quiet\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
    "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "612000000\n",
    "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 408000000 1300500000\n",
    "sys/class/devfreq/17000000.gpu/governor": "nvhost_podgov\n",
    "sys/class/devfreq/15340000.vic/cur_freq": "115200000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48562\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "51000\n",
    "sys/class/thermal/thermal_zone2/type": "cv0-thermal\n",
    "sys/class/thermal/thermal_zone2/temp": "-256000\n",
    "sys/class/hwmon/hwmon3/oc1_event_cnt": "2\n",
    "sys/class/hwmon/hwmon3/oc3_event_cnt": "1\n",
    **{
        f"sys/devices/system/cpu/cpufreq/policy{first}/{name}": value
        for first in (0, 4, 10)
        for name, value in {
            "scaling_cur_freq": "1728000\n",
            "scaling_min_freq": "1728000\n",
            "scaling_max_freq": "1728000\n",
            "cpuinfo_max_freq": "2201600\n",
            "scaling_governor": "schedutil\n",
        }.items()
    },
}


def board(root: Path, files: dict[str, str]) -> Board:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Board.read(root)


def test_an_orin_says_its_mode_clocks_and_heat(tmp_path: Path) -> None:
    found = board(tmp_path, ORIN)
    assert (found.model, found.release) == ("NVIDIA Jetson AGX Orin Developer Kit", "R36.4.3")
    assert found.power_mode == "15W"
    assert found.temperatures == {"cpu-thermal": pytest.approx(48.562), "gpu-thermal": 51.0}
    assert found.throttled == 3
    assert [clock.name for clock in found.clocks] == ["cpu0", "cpu4", "cpu10", "gpu"]
    cpu, gpu = found.clocks[0], found.clocks[-1]
    assert (cpu.now, cpu.limit, cpu.held) == (1728, pytest.approx(2201.6), True)
    assert (gpu.now, gpu.low, gpu.high, gpu.limit, gpu.held) == (306, 306, 612, 1300.5, False)


def test_the_summary_names_what_slows_it_down(tmp_path: Path) -> None:
    summary = board(tmp_path, ORIN).summary
    assert "power mode 15W" in summary
    assert "gpu 306 of 1300 MHz (nvhost_podgov)" in summary
    assert "cpu0 1728 of 2202 MHz (held)" in summary
    assert "51 °C (gpu-thermal)" in summary
    assert "throttled 3 times" in summary


def test_a_thor_names_its_gpu_otherwise(tmp_path: Path) -> None:
    renamed = {name.replace("17000000.gpu", "gpu-gpc-0"): text for name, text in ORIN.items()}
    other = {name.replace("17000000.gpu", "gpu-nvd-0"): "1\n" for name in ORIN if "17000000" in name}
    assert board(tmp_path, {**renamed, **other}).clocks[-1].limit == 1300.5


def test_a_mode_that_the_configuration_does_not_name_is_told_by_its_number(tmp_path: Path) -> None:
    assert board(tmp_path, {**ORIN, "var/lib/nvpmodel/status": "pmode:0007\n"}).power_mode == "mode 7"


@pytest.mark.parametrize("damage", ["", "garbage", "\0\xff", "9" * 40 + "x"])
def test_damaged_files_leave_gaps_and_raise_nothing(tmp_path: Path, damage: str) -> None:
    found = board(tmp_path, dict.fromkeys(ORIN, damage))
    assert (found.release, found.power_mode, found.clocks, found.throttled) == (None, None, (), None)


def test_a_machine_that_says_nothing_has_no_summary(tmp_path: Path) -> None:
    assert Board.read(tmp_path).summary == ""


def test_every_record_of_a_machine_holds_its_board() -> None:
    found = Machine.this().board  # clocks and temperatures move meanwhile, these do not
    again = Board.read()
    assert (found.model, found.power_mode) == (again.model, again.power_mode)
    assert [each.name for each in found.clocks] == [each.name for each in again.clocks]
