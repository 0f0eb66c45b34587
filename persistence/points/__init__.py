"""Points in PostgreSQL: accounts, lots, a double-entry journal, rewards, check-ins, orders."""
