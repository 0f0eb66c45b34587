"""Refusals of the members slice. Those that other slices share are in `domain.shared.errors`."""
