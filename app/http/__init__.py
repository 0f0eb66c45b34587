"""GraphQL over HTTP: what a request may look like, what runs, and how an answer reads."""
