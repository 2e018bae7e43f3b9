"""The loop: what votes can reach, what is carried, what a log proves, errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from econlib.social_design.diagram import draw_round
from econlib.social_design.harvest import HarvestLite
from econlib.social_design.loop import sed_loop
from econlib.social_design.one_step import OneStep
from econlib.social_design.societies import Commons, EscapeRoom, Workers
from econlib.social_design.voting import mean, median

COMMONS = Commons(HarvestLite(horizon=4))


def govern(*votes, society=COMMONS, rule=median, principal="exact", n=1, **more):
    return sed_loop(society, rule, lambda k, _: list(votes), principal, n, **more)


@pytest.mark.parametrize(
    ("value", "rates"), [(1.0, (0.8, 0.8)), (0.5, (0.8, 0.9)), (0.02, (0.9, 0.9))]
)
def test_votes_choose_the_objective_and_the_schedule(value, rates):
    society = Commons(HarvestLite())
    log = govern(*[value] * 4, society=society)
    assert log.rounds[0].rates == pytest.approx(rates)
    assert log.rounds[0].principal_regret == 0


def test_rounds_start_where_the_last_one_ended_and_the_plan_counts_them():
    log = govern(1.0, 1.0, 1.0, 1.0, n=3)
    states = [(r.state, r.next_state) for r in log.rounds]
    assert [a[1] for a in states[:-1]] == [b[0] for b in states[1:]]
    assert log.rounds[0].welfare == pytest.approx(4.1276, abs=6e-5)
    alone = govern(1.0, 1.0, 1.0, 1.0, n=1)
    assert alone.rounds[0].welfare == pytest.approx(2.34968, abs=6e-6)


def test_ballots_with_the_same_value_are_governed_alike():
    one = govern(0.6, 0.02, 0.5, 0.02, n=2)
    for ballot in [(0.02, 0.02, 0.5, 0.6), (0.02, 0.02, 0.02, 1.0)]:
        two = govern(*ballot, n=2)
        assert [r.choice for r in one.rounds] == [r.choice for r in two.rounds]
        assert one.digest != two.digest


def test_a_log_replays_and_a_changed_log_does_not():
    log = govern(0.6, 0.02, 0.5, 0.3, n=3, rule=mean)
    assert log.verify()
    assert log.replay(COMMONS, mean).digest == log.digest
    entry = dataclasses.replace(log.rounds[1], rates=(0.0, 0.0))
    forged = dataclasses.replace(log, rounds=(log.rounds[0], entry, log.rounds[2]))
    assert not forged.verify()
    voted = dataclasses.replace(log.rounds[0], votes=(1.0, 1.0, 1.0, 1.0))
    forged = dataclasses.replace(log, rounds=(voted, *log.rounds[1:]))
    assert forged.replay(COMMONS, mean).digest != log.digest
    with pytest.raises(ValueError, match="society = "):
        log.replay(EscapeRoom(), mean)


def test_every_entry_holds_what_would_have_happened_without_taxes():
    log = govern(1.0, 1.0, 1.0, 1.0)
    assert log.rounds[0].untaxed == pytest.approx((1.8, 1.6, 1.4, 1.1))
    free = govern(1.0, 1.0, 1.0, 1.0, principal="free")
    assert free.rounds[0].welfare == free.rounds[0].untaxed_welfare
    assert free.rounds[0].principal_regret > 0.8
    assert '"untaxed_welfare"' in log.to_json()


@pytest.mark.parametrize("principal", ["ucb", "eps"])
def test_learning_principals_come_near(principal):
    log = govern(1.0, 1.0, 1.0, 1.0, principal=principal)
    assert log.rounds[0].principal_regret <= 0.05 * log.rounds[0].welfare
    assert log.replay(COMMONS, median).digest == log.digest


def test_convergence_needs_three_equal_choices_and_players_without_regret():
    room = EscapeRoom()
    log = govern(*[1.0] * 4, society=room, n=4)
    assert log.converged()
    assert not govern(*[1.0] * 4, society=room, n=2).converged()
    last = dataclasses.replace(log.rounds[-1], players_regret=0.1)
    assert not dataclasses.replace(log, rounds=(*log.rounds[:-1], last)).converged()


@pytest.mark.parametrize(
    ("n", "needed", "levers"), [(4, 2, 2), (5, 3, 1), (3, 1, 3), (2, 1, 2)]
)
def test_the_escape_room_is_solved_by_paying_for_the_lever(n, needed, levers):
    room = EscapeRoom(n, needed, levers)
    answer = room.respond(levers - 1, None)
    assert answer.utilities[0].sum() == 0
    assert answer.utilities[-1].sum() == pytest.approx(10 * (n - needed) - needed)
    assert answer.regret[-1] <= 1e-12


def test_workers_answer_without_regret():
    answer = Workers(OneStep([1, 2, 3], 0.5), 0.25).respond(0, None)
    assert answer.regret.max() <= 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: govern(1.0, 0.5), "one report for each of 4 players"),
        (lambda: govern(1.0, 0.5, 0.0, 1.0), r"expected numbers in \(0, 1\]"),
        (lambda: govern(1.0, 0.5, 1.2, 1.0), r"expected numbers in \(0, 1\]"),
        (lambda: govern(1.0, 1.0, 1.0, 1.0, principal="tsar"), "principal = 'tsar'"),
        (lambda: govern(1.0, 1.0, 1.0, 1.0, n=0), "n_rounds = 0"),
        (lambda: EscapeRoom(4, 4), "n_players = 4, needed = 4"),
        (lambda: EscapeRoom(payments=(1.0, 2.0)), r"payments = \(1.0, 2.0\)"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_picture_shows_the_data_of_its_round():
    import matplotlib.pyplot as plt

    log = govern(0.6, 0.02, 0.02, 0.02, n=2)
    fig, ax = plt.subplots()
    draw_round(ax, log, 1)
    shown = " ".join(text.get_text() for text in ax.texts)
    assert f"$s_0$ = {log.rounds[1].state}" in shown
    assert f"next round: $s_0$ = {log.rounds[1].next_state}" in shown
    assert "$\\sigma$ = 0.02" in shown
    with pytest.raises(ValueError, match="number = 2"):
        draw_round(ax, log, 2)
    plt.close(fig)
    assert np.isfinite(log.rounds[1].p)
