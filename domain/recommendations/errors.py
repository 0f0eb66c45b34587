"""Recommendations refuse nothing."""
