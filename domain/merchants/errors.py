"""Refusals of the merchants slice. Those that other slices share are in `domain.shared.errors`."""
