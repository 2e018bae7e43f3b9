"""Contracts between a principal and learning agents: models, solvers, learners."""
