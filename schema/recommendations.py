"""Recommendations as clients see them."""

from typing import Annotated

import strawberry

from domain.campaigns import model as campaigns_model
from domain.coupons import model as coupons_model
from domain.recommendations import model
from domain.rewards import model as rewards_model
from schema.campaigns import Campaign
from schema.coupon_templates import CouponTemplate
from schema.rewards import Reward

RecommendationSubject = Annotated[
    CouponTemplate | Campaign | Reward,
    strawberry.union("RecommendationSubject", description="What is recommended."),
]


@strawberry.type(description="One thing to show.")
class Recommendation:
    subject: RecommendationSubject = strawberry.field(description="What.")
    score: float = strawberry.field(description="0 to 1; higher is shown first.")
    reason: str = strawberry.field(description="Why, for the member to read.")


@strawberry.type(description="What to show next.")
class RecommendationResult:
    items: list[Recommendation] = strawberry.field(description="Best first.")
    personalized: bool = strawberry.field(description="Whether anything of the member itself was used to choose.")
    model_version: str = strawberry.field(description="By which rule or model.")

    @staticmethod
    def from_domain(found: model.Recommendations, *, locale: str) -> "RecommendationResult":
        """The domain's recommendations as clients see them."""
        return RecommendationResult(
            items=[
                Recommendation(subject=_subject(r.subject), score=r.score, reason=r.reason.read_in(locale))
                for r in found.items
            ],
            personalized=found.personalized,
            model_version=found.model_version,
        )


def _subject(
    subject: "coupons_model.CouponTemplate | campaigns_model.Campaign | rewards_model.Reward",
) -> CouponTemplate | Campaign | Reward:
    match subject:
        case coupons_model.CouponTemplate():
            return CouponTemplate.from_domain(subject)
        case campaigns_model.Campaign():
            return Campaign.from_domain(subject)
        case rewards_model.Reward():
            return Reward.from_domain(subject)
        case _:
            raise TypeError(f"a {type(subject).__name__} is not recommended")
