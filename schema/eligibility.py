"""A decision and its proof as clients see them."""

import strawberry

from domain.coupons import eligibility as domain
from schema.money import Money
from schema.problems import Problem


@strawberry.type(description="One condition with what was required and what was found; a group shows its children.")
class Predicate:
    name: str = strawberry.field(description="Which condition.")
    passed: bool = strawberry.field(description="Whether it holds.")
    required: str = strawberry.field(description="What it asks for.")
    actual: str = strawberry.field(description="What was found.")
    children: list["Predicate"] = strawberry.field(description="The conditions of a group.")

    @staticmethod
    def from_domain(predicate: domain.Predicate) -> "Predicate":
        """The domain's predicate as clients see it."""
        return Predicate(
            name=predicate.name,
            passed=predicate.passed,
            required=predicate.required,
            actual=predicate.actual,
            children=[Predicate.from_domain(child) for child in predicate.children],
        )


@strawberry.type(description="A decision and its proof.")
class Eligibility:
    eligible: bool = strawberry.field(description="The decision.")
    because: Predicate = strawberry.field(description="The proof: every condition, as it was found.")
    decided: strawberry.Private[domain.Eligibility]
    currency: strawberry.Private[str]
    locale: strawberry.Private[str]

    @strawberry.field(
        description="What a threshold still lacks; null where none lacks any. Where earlier offers act on what is "
        "bought for it too, more must be bought: `unlock` says how much."
    )
    def shortfall(self) -> Money | None:
        """What is missing."""
        lacking = self.decided.shortfall_minor
        return None if lacking is None else Money.of(lacking, self.currency)

    @strawberry.field(
        description="The cheapest single step after which it would act, for people; null without one. Every step was "
        "carried out in thought, with the same coupons, before it is told."
    )
    def unlock(self) -> str | None:
        """What would help, worked out when it is asked for."""
        step = self.decided.unlock
        return None if step is None else step.text.read_in(self.locale)

    @staticmethod
    def from_domain(eligibility: domain.Eligibility, *, currency: str, locale: str) -> "Eligibility":
        """The domain's decision as clients see it; amounts are of this currency."""
        return Eligibility(
            eligible=eligibility.eligible,
            because=Predicate.from_domain(eligibility.because),
            decided=eligibility,
            currency=currency,
            locale=locale,
        )


@strawberry.type(description="Whether the viewer could claim now.")
class ClaimDecision:
    allowed: bool = strawberry.field(description="Whether a claim would be granted now.")
    problem: Problem | None = strawberry.field(
        description="What a claim would be refused with; null when it would not."
    )
    eligibility: Eligibility = strawberry.field(description="The proof.")
