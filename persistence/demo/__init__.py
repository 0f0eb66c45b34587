"""The demo programme in PostgreSQL: its rows, and how a slice of them is written whole."""
