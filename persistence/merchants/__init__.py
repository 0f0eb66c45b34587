"""Merchants and their stores in PostgreSQL."""
