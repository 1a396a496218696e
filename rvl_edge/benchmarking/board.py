# SPDX-License-Identifier: Apache-2.0
"""How fast a machine is allowed to run: power mode, clocks, temperatures.

The same Jetson has a twelfth of its speed in its smallest power mode, and a few minutes' heat take off more:
a figure without them says nothing. All is read from files that anyone may read; no tool is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rvl_edge._board import board_model

_GPU_NODES = ("sys/class/devfreq/*gpu*", "sys/class/devfreq/*.ga10b")  # Thor and JetPack 6, JetPack 5


@dataclass(frozen=True)
class Clock:
    """One clock domain, in MHz.

    Attributes:
        name: such as `cpu0` (a cluster is named after its first core) or `gpu`.
        now: what it runs at.
        low, high: what the governor may choose between; equal where the clock is held.
        limit: what the hardware can do at most.
        governor: what chooses.
    """

    name: str
    now: float
    low: float
    high: float
    limit: float
    governor: str

    @property
    def held(self) -> bool:
        """It cannot change, as after `jetson_clocks`."""
        return self.low == self.high


@dataclass(frozen=True)
class Board:
    """What limits the speed of a machine; None or nothing where it does not say.

    Attributes:
        model: of the board, from its device tree.
        release: of Jetson Linux, such as `R36.4.3`.
        power_mode: nvpmodel's, such as `MAXN` or `15W`.
        clocks: of the processor's clusters and the GPU.
        temperatures: in degrees Celsius, by thermal zone.
        throttled: how often over-current protection has slowed it down since it was switched on.
    """

    model: str | None
    release: str | None
    power_mode: str | None
    clocks: tuple[Clock, ...]
    temperatures: dict[str, float]
    throttled: int | None

    @classmethod
    def read(cls, root: Path = Path("/")) -> Board:
        """Of this machine, now; `root` is where its /etc, /proc, /sys and /var are."""
        return cls(
            model=board_model(root),
            release=_release(root),
            power_mode=_power_mode(root),
            clocks=(*_cpu_clocks(root), *_gpu_clocks(root)),
            temperatures=_temperatures(root),
            throttled=_throttled(root),
        )

    @property
    def summary(self) -> str:
        """One line for people; empty on a machine that says nothing."""
        parts = [each for each in (self.model, self.release) if each]
        parts += [f"power mode {self.power_mode}"] if self.power_mode else []
        for clock in self.clocks:
            state = "held" if clock.held else clock.governor
            parts.append(f"{clock.name} {clock.now:.0f} of {clock.limit:.0f} MHz ({state})")
        if self.temperatures:
            name, hottest = max(self.temperatures.items(), key=lambda item: item[1])
            parts.append(f"{hottest:.0f} °C ({name})")
        parts += [f"throttled {self.throttled} times"] if self.throttled else []
        return ", ".join(parts)


def _release(root: Path) -> str | None:
    found = re.search(r"# (R\d+) .*?REVISION: ([\d.]+)", _text(root / "etc/nv_tegra_release") or "")
    return ".".join(found.groups()) if found else None


def _power_mode(root: Path) -> str | None:
    """The name that nvpmodel's configuration gives to the mode in its status file."""
    status = re.search(r"pmode:(\d+)", _text(root / "var/lib/nvpmodel/status") or "")
    if not status:
        return None
    modes = re.findall(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", _text(root / "etc/nvpmodel.conf") or "")
    names: dict[int, str] = {int(number): name for number, name in modes}
    return names.get(int(status[1]), f"mode {int(status[1])}")


def _cpu_clocks(root: Path) -> Iterable[Clock]:
    folder = root / "sys/devices/system/cpu/cpufreq"
    for policy in sorted(folder.glob("policy*"), key=lambda path: int(path.name[6:])):
        files = ("scaling_cur_freq", "scaling_min_freq", "scaling_max_freq", "cpuinfo_max_freq")
        yield from _clock(f"cpu{policy.name[6:]}", policy, files, "scaling_governor", per_mhz=1e3)


def _gpu_clocks(root: Path) -> Iterable[Clock]:
    nodes = next((found for each in _GPU_NODES if (found := sorted(root.glob(each)))), [])
    for node in nodes[:1]:
        listed = (_text(node / "available_frequencies") or "").split()
        speeds = [int(each) for each in listed if each.isdecimal()]
        limit = str(max(speeds)) if speeds else "max_freq"
        yield from _clock("gpu", node, ("cur_freq", "min_freq", "max_freq", limit), "governor", per_mhz=1e6)


def _clock(
    name: str, folder: Path, files: tuple[str, str, str, str], governor: str, *, per_mhz: float
) -> Iterable[Clock]:
    """A clock of a driver's folder; a name that is a number stands for itself."""
    values = [float(each) if each.isdecimal() else _number(folder / each) for each in files]
    now, low, high, limit = (None if each is None else each / per_mhz for each in values)
    if now is not None and low is not None and high is not None and limit is not None:
        yield Clock(name, now, low, high, limit, _text(folder / governor) or "unknown")


def _temperatures(root: Path) -> dict[str, float]:
    zones = {
        _text(zone / "type") or zone.name: _number(zone / "temp")
        for zone in sorted(root.glob("sys/class/thermal/thermal_zone*"))
    }
    # A sensor of a part that is switched off reads as far below zero, or not at all.
    return {name: value / 1e3 for name, value in zones.items() if value is not None and value > -100_000}


def _throttled(root: Path) -> int | None:
    counts = [_number(path) for path in root.glob("sys/class/hwmon/hwmon*/oc*_event_cnt")]
    known = [int(each) for each in counts if each is not None]
    return sum(known) if known else None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None
