"""Votes, taxes and games: the models and solvers of social environment design."""
