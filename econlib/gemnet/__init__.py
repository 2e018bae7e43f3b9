"""Menus of several bidders that never sell an item twice."""
