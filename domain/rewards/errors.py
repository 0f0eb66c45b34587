"""Refusals of the rewards slice."""

from dataclasses import dataclass

from domain.shared.errors import Refusal


@dataclass(eq=False)
class RewardOutOfStock(Refusal):
    """Fewer are left than were asked for; `remaining` may still be had."""

    remaining: int


@dataclass(eq=False)
class ExchangeLimitReached(Refusal):
    """The member has exchanged as many of this reward as one may."""

    limit: int
