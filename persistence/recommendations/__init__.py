"""What recommendations read from PostgreSQL."""
