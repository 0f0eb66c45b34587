"""Redis carries events between processes and holds no truth: whatever it loses is read from PostgreSQL."""
