"""Denoisers conditioned on local histories: attractors, bounds and composition."""
