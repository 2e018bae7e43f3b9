"""Data market design."""
