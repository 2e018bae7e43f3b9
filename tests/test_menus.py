"""Menus as parameters: choices, initial payments, revival, conditional menus."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.menus import (
    ConditionalMenuNet,
    MenuNet,
    hard_choice,
    reach,
    soft_choice,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _net(n_entries: int = 12, low: float = -1.0, seed: int = 0) -> MenuNet:
    worth = torch.tensor([[0.2, 0.7], [0.5, 0.5]])
    support = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]] * 2)
    depth = torch.tensor([1.0, 0.5])
    return MenuNet(
        n_entries, worth, support, depth, low=low, generator=_generator(seed)
    )


def test_soft_choice_hardens_with_temperature():
    utilities = torch.tensor([[0.0, 0.1, -0.2]])
    assert soft_choice(utilities, 0.0)[0].tolist() == pytest.approx([1 / 3] * 3)
    assert soft_choice(utilities, 1e4)[0].tolist() == pytest.approx([0, 1, 0])
    assert hard_choice(utilities).tolist() == [1]


def test_of_equal_entries_the_first_is_chosen():
    assert hard_choice(torch.zeros(4, 3)).tolist() == [0] * 4


@settings(max_examples=30, deadline=None)
@given(
    a=st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    c=st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_reach_is_the_gain_of_the_keenest_corner(a, c):
    room = torch.tensor([[-x, 1 - x] for x in c])
    corners = [
        sum(q * r for q, r in zip(a, k, strict=True))
        for k in itertools.product(*room.tolist())
    ]
    found = float(reach(torch.tensor([a]), room)[0])
    assert found == pytest.approx(max(corners), abs=1e-6)


def test_initial_payments_lie_between_worth_and_reach():
    net = _net(500)
    a, t = net.menu()
    assert (a[:, 0] == 0).all()
    assert (t[:, 0] == 0).all()
    margin = t - torch.einsum("mki,mi->mk", a, net.worth)
    share = (margin / reach(a, net.room).clamp(min=1e-9))[:, 1:]
    assert (share <= 1 + 1e-5).all()
    assert (share[0] >= -1e-5).all()  # depth 1
    assert (share[1] >= 0.5 - 1e-5).all()  # depth 1/2


def test_utilities_are_those_of_the_menu_and_never_below_the_opt_out():
    net = _net()
    types = torch.rand(2, 50, 2, generator=_generator(1))
    a, t = net.menu()
    direct = torch.einsum("mki,msi->msk", a, types) - t[:, None]
    assert torch.allclose(net(types), direct, atol=1e-6)
    assert (net(types).amax(-1) >= 0).all()


def test_sellers_menu_never_buys():
    a, _ = _net(200, low=0.0).menu()
    assert float(a.detach().min()) >= 0


def test_revival_moves_idle_entries_alone():
    net = _net(40)
    with torch.no_grad():
        net.depths[:, 20:] = -3.0  # far too dear: nobody takes these
    types = torch.rand(2, 4000, 2, generator=_generator(2))
    taken = [set(row.tolist()) - {0} for row in hard_choice(net(types))]
    before = [p.detach().clone() for p in net.parameters()]
    moved = net.revive(types, torch.full_like(types, 0.5), _generator(3))
    assert moved.tolist() == [40 - len(row) for row in taken]
    for m, row in enumerate(taken):
        kept = torch.tensor(sorted(row)) - 1
        for old, new in zip(before, net.parameters(), strict=True):
            assert torch.equal(old[m][kept], new.detach()[m][kept])


def test_revival_of_an_empty_menu_earns():
    net = _net(1)
    types = torch.rand(2, 4000, 2, generator=_generator(2))
    costs = net.worth[:, None].expand_as(types)
    with torch.no_grad():
        net.depths[:] = -3.0
        assert (hard_choice(net(types)) == 0).all()
        assert net.revive(types, costs, _generator(3)).tolist() == [1, 1]
        a, t = net.menu()
        takes = hard_choice(net(types)) == 1
        profit = t[:, 1] - (a[:, 1] * net.worth).sum(-1)
    assert takes.float().mean() > 0.05
    assert (profit > 0).all()


def test_revival_refuses_no_proposals():
    net, types = _net(1), torch.rand(2, 10, 2)
    with pytest.raises(ValueError, match="n_proposals = 0"):
        net.revive(types, types, n_proposals=0)


def test_conditional_menus_are_menus_of_their_context():
    net = ConditionalMenuNet(3, 7, 2, low=-1.0, generator=_generator())
    context = torch.rand(5, 3, generator=_generator(1))
    c = context[:, :2]
    room = torch.stack([-c, 1 - c], dim=-1)
    a, t = net.menu(context, c, room, torch.ones(5))
    assert a.shape == (5, 8, 2)
    assert t.shape == (5, 8)
    assert (a[:, 0] == 0).all()
    assert (t[:, 0] == 0).all()
    assert float(a.detach().abs().max()) <= 1
    one, price = net.menu(context[:1], c[:1], room[:1], torch.ones(1))
    assert torch.allclose(one[0], a[0], atol=1e-6)
    assert torch.allclose(price[0], t[0], atol=1e-6)
    assert not torch.allclose(a[0], a[1], atol=1e-3)


def test_same_seed_same_network():
    nets = [ConditionalMenuNet(2, 3, 1, generator=_generator(9)) for _ in range(2)]
    for one, other in zip(*(n.parameters() for n in nets), strict=True):
        assert torch.equal(one, other)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="n_entries = 0: expected an integer"):
        _net(0)
    with pytest.raises(ValueError, match="n_items = 0"):
        ConditionalMenuNet(1, 1, 0)
    with pytest.raises(ValueError, match=r"low = 1.0, high = 1.0: expected low < high"):
        _net(low=1.0)
