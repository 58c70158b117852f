"""Cases of public skills: what they run on, two ways to run them, and what comes of it. For `scripts/published.py`."""
