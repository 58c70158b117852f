"""Reads public skills without running them: which programs they hold and what each of them needs."""
