"""What must always hold of campaigns."""
