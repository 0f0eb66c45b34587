"""The stages of pricing, in the order in which they are passed."""

from enum import Enum


class Lane(Enum):
    """A stage of pricing: offers of an earlier lane act before those of a later one, whatever was asked for first."""

    ITEM = "ITEM"
    STORE_ORDER = "STORE_ORDER"
    PLATFORM_ORDER = "PLATFORM_ORDER"
    SHIPPING = "SHIPPING"
    POINTS = "POINTS"
    TENDER = "TENDER"

    @property
    def place(self) -> int:
        """How early the lane comes; the first is 0."""
        return _PLACES[self._value_]

    @property
    def is_after_points(self) -> bool:
        """Whether points have paid before it."""
        return self is Lane.TENDER


# By value: a text knows its hash, a member of an enum works it out each time.
_PLACES = {lane.value: place for place, lane in enumerate(Lane)}
