"""Sequential combinatorial auctions: the models and exact solvers of that chapter."""
