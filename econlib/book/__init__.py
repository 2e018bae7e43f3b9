"""The book's own machinery: claims, parameters, runner, scoreboard.

Models and solvers never import it; notebooks do.
"""
