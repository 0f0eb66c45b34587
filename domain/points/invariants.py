"""What must always hold of points."""
