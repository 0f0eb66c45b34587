"""What must always hold of members."""
