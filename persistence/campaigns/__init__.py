"""Campaigns in PostgreSQL."""
