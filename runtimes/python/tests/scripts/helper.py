"""A sibling module."""
NAME = "sibling"


def fail():
    raise ValueError("deep")
