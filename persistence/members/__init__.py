"""Members in PostgreSQL: the encrypted person, the tier, the days that count towards it."""
