"""GraphiQL from the project's own files: the page (`page`), its prepared tabs (`tabs`), how it is built (README.md)."""
