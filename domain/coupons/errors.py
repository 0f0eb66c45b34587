"""Refusals of the coupons slice. Those that other slices share are in `domain.shared.errors`."""

from dataclasses import dataclass
from datetime import datetime

from domain.shared.errors import Refusal


@dataclass(eq=False)
class NotStarted(Refusal):
    """Claiming opens later."""

    opens_at: datetime


@dataclass(eq=False)
class Ended(Refusal):
    """Claiming is over."""

    closed_at: datetime


@dataclass(eq=False)
class SoldOut(Refusal):
    """No coupon is left of this template."""


@dataclass(eq=False)
class ClaimLimitReached(Refusal):
    """The member has as many as one may have; `resets_at` is when a limit by day, week or month begins anew."""

    limit: int
    resets_at: datetime | None


@dataclass(eq=False)
class CodeUsedUp(Refusal):
    """The code was used as often as it may be, or by this member before."""


@dataclass(eq=False)
class CodeExpired(Refusal):
    """The code could be used until then."""

    expired_at: datetime


@dataclass(eq=False)
class TooManyAttempts(Refusal):
    """The member has tried too many codes that did not work."""

    retry_at: datetime


@dataclass(eq=False)
class InvalidTerms(Refusal):
    """A template that cannot be; `path` leads to what is wrong in the input, as in ("terms", "amountMinor")."""

    path: tuple[str, ...]
    reason: str
