"""Why: the decisions of consumer marketing, in the standard library alone."""
