"""Models and solvers of the book; one sub-package a paper, shared rooms beside them."""
