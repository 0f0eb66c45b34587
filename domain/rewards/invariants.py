"""What must always hold of rewards."""
