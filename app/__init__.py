"""Wiring: the only package that imports all the others."""
