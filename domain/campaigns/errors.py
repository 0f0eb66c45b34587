"""Refusals of the campaigns slice. Those that other slices share are in `domain.shared.errors`."""
