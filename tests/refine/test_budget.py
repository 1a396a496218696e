# SPDX-License-Identifier: Apache-2.0
"""The budget against machines that are known exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvl_edge.refine import Budget, Effort

Machine = Callable[[Effort], tuple[float, float]]
MOST = Effort(5, 1000)


def linear(encode: float, refine: float) -> Machine:
    """Milliseconds a view, and a view and class."""
    return lambda effort: (encode * effort.views, refine * effort.views * effort.classes)


def spent(budget: Budget, machine: Machine, frames: int = 30) -> list[Effort]:
    efforts = []
    for _ in range(frames):
        efforts.append(budget.choose())
        budget.report(efforts[-1], *machine(efforts[-1]))
    return efforts


def test_spends_everything_where_it_fits() -> None:
    assert set(spent(Budget(100, MOST), linear(10, 0.005))) == {MOST}


@pytest.mark.parametrize("budget_ms", [12, 20, 35, 60, 74])
def test_the_second_frame_fits_already(budget_ms: float) -> None:
    machine = linear(10, 0.005)
    first, *rest = spent(Budget(budget_ms, MOST), machine)
    assert first == MOST, "nothing is known before the first"
    assert all(sum(machine(effort)) <= budget_ms for effort in rest)
    assert len(set(rest)) == 1


def test_classes_go_before_views() -> None:
    settled = spent(Budget(55, MOST), linear(10, 0.005))[-1]
    assert settled.views == 5
    assert settled.classes == 125, "5 views and 125 classes take 53 ms, twice the classes 56 ms"


def test_few_classes_stay() -> None:
    assert spent(Budget(25, Effort(5, 10)), linear(10, 0.05))[-1] == Effort(2, 10)


def test_one_view_of_the_shortest_list_is_the_least() -> None:
    least = spent(Budget(1, MOST), linear(10, 0.005))[-1]
    assert (least.views, least.classes) == (1, 31)


def test_one_slow_frame_changes_nothing() -> None:
    budget = Budget(100, MOST)
    spent(budget, linear(10, 0.005))
    for _ in range(4):
        budget.report(MOST, 5000, 900)
    assert budget.choose() == MOST


def test_shrinks_while_the_machine_is_busy_and_grows_back() -> None:
    free, busy = linear(10, 0.005), linear(40, 0.02)
    budget = Budget(100, MOST)
    assert spent(budget, free)[-1] == MOST
    settled = spent(budget, busy)[-1]
    assert settled.views == 2
    assert sum(busy(settled)) <= 100
    assert spent(budget, free)[-1] == MOST


def test_grows_back_where_a_batch_is_nearly_free() -> None:
    """Unit costs measured at one view overrate five; the choice has to climb."""

    def device(effort: Effort) -> tuple[float, float]:
        return 10 + 0.5 * effort.views, 0.001 * effort.views * effort.classes

    budget = Budget(25, MOST)
    assert spent(budget, linear(24, 0.0))[-1].views == 1
    assert spent(budget, device, 60)[-1] == MOST


def test_does_not_flap_at_the_edge() -> None:
    """Four views take 0.95 and 1.05 of the budget by turns: never up and down with the noise."""
    budget, efforts = Budget(40, Effort(5, 10)), []
    for frame in range(100):
        efforts.append(budget.choose())
        noise = 1.05 if frame % 2 else 0.95
        budget.report(efforts[-1], 10 * noise * efforts[-1].views, 0.0)
    assert len(set(efforts[20:])) == 1


def test_the_same_times_give_the_same_choices() -> None:
    assert spent(Budget(35, MOST), linear(10, 0.01)) == spent(Budget(35, MOST), linear(10, 0.01))
