"""Optimal automated market makers: exact solvers, certificates and menu learners."""
