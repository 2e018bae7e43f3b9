r"""Senders who climb: extra-gradient, plain ascent, and soft receivers.

Each sender follows the gradient of his own utility in his own rule,
:math:`F(\pi)=(\nabla_{\pi_i}u_i(\pi))_i`.  Extra-gradient looks one step ahead,

.. math::

   \bar\pi=P\big(\pi+\gamma F(\pi)\big),\qquad
   \pi\leftarrow P\big(\pi+\gamma F(\bar\pi)\big),

:math:`P` the projection of every row on the simplex; plain ascent does not, and
optimistic ascent guesses the step ahead from the last one.  Many
profiles climb at once.  The true utilities have the gradient of the piece only, which
does not see a cliff; a receiver who chooses by :math:`\mathrm{softmax}(\beta\cdot)` of
her normalised payoffs puts the cliffs back, softly, and :math:`\beta` rises on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from econlib.persuasion.games import PersuasionGame, check_batch

__all__ = ["climb", "field", "project_simplex", "soft_utilities"]


def project_simplex(x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
    """Nearest point of the simplex to each row (Euclidean).

    Examples
    --------
    >>> project_simplex(torch.tensor([[0.5, 1.5], [0.2, 0.8]])).tolist()
    [[0.0, 1.0], [0.20000000298023224, 0.800000011920929]]
    """
    ordered = x.sort(dim=-1, descending=True).values
    rank = torch.arange(1, x.shape[-1] + 1, device=x.device, dtype=x.dtype)
    excess = (ordered.cumsum(dim=-1) - 1) / rank
    # how many entries stay positive
    support = (ordered > excess).sum(dim=-1, keepdim=True)
    return (x - excess.gather(-1, support - 1)).clamp(min=0)


def soft_utilities(
    game: PersuasionGame,
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    beta: float | int,
) -> Float[Tensor, "n_profiles n_senders"]:
    """Utilities before a receiver who chooses by a softmax of her mean payoffs.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Profiles.
    beta : float
        Sharpness, above 0; a posterior that makes one action better by 1 / β has it
        chosen e times as often.
    """
    if not beta > 0:
        raise ValueError(f"beta = {beta}: expected a number above 0")
    check_batch(game, rules)
    like = {"dtype": rules.dtype, "device": rules.device}
    receiver = torch.as_tensor(game.receiver, **like)
    senders = torch.as_tensor(game.senders, **like)
    x = torch.as_tensor(game.prior, **like).expand(len(rules), 1, -1)
    for i in range(game.n_senders):
        x = (x[:, :, None] * rules[:, i].mT[:, None]).flatten(1, 2)
    belief = x / (x.sum(dim=2, keepdim=True) + 1e-12)
    chosen = torch.softmax(beta * (belief @ receiver), dim=2)
    return torch.einsum("bsw,bsa,iwa->bi", x, chosen, senders)


def field(
    utilities: Callable[[Tensor], Tensor],
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
) -> Float[Tensor, "n_profiles n_senders n_states k"]:
    """Gradient of each sender's utility in his own rule.

    Parameters
    ----------
    utilities : callable
        Takes profiles, gives a utility for each sender.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Profiles.
    """
    own = []
    for i in range(rules.shape[1]):
        point = rules.detach().requires_grad_(True)
        total = utilities(point)[:, i].sum()
        own.append(torch.autograd.grad(total, point)[0][:, i])
    return torch.stack(own, dim=1)


def climb(
    utilities: Callable[[Tensor, float], Tensor],
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    schedule: Sequence[tuple[float, int]],
    *,
    how: str = "extra",
    param: str = "simplex",
) -> Float[Tensor, "n_profiles n_senders n_states k"]:
    """Profiles after all senders have climbed together.

    Parameters
    ----------
    utilities : callable
        Takes profiles and the share of steps done, in [0, 1); gives a utility for each
        sender, so that a receiver's or a gate's sharpness can rise on the way.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Starts.
    schedule : sequence of (float, int)
        Step size, above 0, and how many steps of it.
    how : {"extra", "plain", "optimistic"}
        Extra-gradient, plain ascent, or optimistic ascent, which adds to each step what
        the field has changed by since the last one.
    param : {"simplex", "logits"}
        What moves: rules, projected on the simplex, or their logits, free.

    Returns
    -------
    Tensor
        End points, of the same shape.

    Raises
    ------
    ValueError
        Another way, or a step size or a number of steps that is not positive.
    """
    for size, n in schedule:
        if not size > 0 or n < 1:
            raise ValueError(
                f"schedule: step {size}, {n} times: expected a positive step, 1 or more"
            )
    for name, value, known in (
        ("how", how, ("extra", "plain", "optimistic")),
        ("param", param, ("simplex", "logits")),
    ):
        if value not in known:
            raise ValueError(f"{name} = {value!r}: expected one of {', '.join(known)}")
    free = param == "logits"

    def rule(y: Tensor) -> Tensor:
        return y.softmax(dim=-1) if free else y

    def project(y: Tensor) -> Tensor:
        return y if free else project_simplex(y)

    x = rules.clamp(min=1e-6).log() if free else rules
    total, done, last = sum(n for _, n in schedule), 0, None
    for size, n in schedule:
        for _ in range(n):

            def now(y: Tensor, at: float = done / total) -> Tensor:
                return utilities(rule(y), at)

            slope = field(now, x)
            if how == "extra":
                slope = field(now, project(x + size * slope))
            elif how == "optimistic":
                slope, last = (slope if last is None else 2 * slope - last), slope
            x = project(x + size * slope)
            done += 1
    return rule(x).detach()
