"""The points mall in PostgreSQL."""
