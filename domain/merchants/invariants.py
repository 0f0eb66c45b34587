"""What must always hold of merchants."""
