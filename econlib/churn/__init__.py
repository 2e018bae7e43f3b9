"""Predictive churn and the set of good models."""
