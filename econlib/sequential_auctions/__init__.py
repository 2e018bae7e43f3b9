"""Sequential combinatorial auctions: buyers, exact solvers and learners."""
