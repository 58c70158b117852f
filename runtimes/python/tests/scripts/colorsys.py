"""Stands in for the library module of the same name, as `sys.path[0]` demands."""
WHO = "mine"
