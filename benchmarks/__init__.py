"""The measured claims, one command each, peers side by side."""
