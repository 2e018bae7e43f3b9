"""Several informed senders and one receiver: exact solvers, networks, equilibria."""
