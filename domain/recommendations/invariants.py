"""What must always hold of recommendations."""
