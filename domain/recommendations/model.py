"""Recommendations: what is shown to a member next, and why."""

from dataclasses import dataclass
from enum import Enum

from domain.campaigns.model import Campaign
from domain.coupons.model import CouponTemplate
from domain.rewards.model import Reward
from domain.shared.text import Text


class Placement(Enum):
    """Where recommendations are shown."""

    HOME = "HOME"
    CART = "CART"
    WALLET = "WALLET"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thing that may be shown, and how many members have taken it lately."""

    subject: CouponTemplate | Campaign | Reward
    taken: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A thing to show, a score from 0 to 1, and the reason as the member reads it."""

    subject: CouponTemplate | Campaign | Reward
    score: float
    reason: Text


@dataclass(frozen=True, slots=True)
class Recommendations:
    """What to show. `personalized` says whether anything of the member itself was used to choose."""

    items: tuple[Recommendation, ...]
    personalized: bool
    model_version: str
