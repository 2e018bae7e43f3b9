"""Data markets: signals about a state sold to one buyer, or to rivals."""
