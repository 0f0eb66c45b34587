"""Where: SQL, Redis, migrations, embedded servers."""
