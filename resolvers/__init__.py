"""Who may, which use-case, how a refusal reads."""
