"""Quotes 试算 as clients see them: what a cart costs, to the fen, with a proof for every coupon."""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import strawberry

from domain.coupons import pricing
from domain.coupons.model import CouponKey
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, Funder
from domain.coupons.solver import answers
from domain.coupons.solver.answers import OptimalityStatus
from domain.coupons.solver.rejections import MAX_EXPLAINED
from domain.coupons.solver.search import MAX_ALTERNATIVES
from domain.coupons.wallet import MAX_CONSIDERED
from domain.orders import model
from domain.orders.quote_tokens import token_of
from domain.shared.errors import BadUserInput
from domain.shared.ids import MemberId
from schema.carts import CartInput
from schema.context import Context, Info
from schema.coupons import Coupon
from schema.eligibility import Eligibility
from schema.enums import publish_enum
from schema.money import Money
from schema.scalars import SafeInt

ALTERNATIVES_DEFAULT: Final = 3


@strawberry.type(description="What one funder bears.")
class FunderAmount:
    funder: Funder = strawberry.field(description="Who.")
    amount: Money = strawberry.field(description="How much.")

    @staticmethod
    def from_domain(share: pricing.FunderAmount, *, currency: str) -> "FunderAmount":
        """The domain's share as clients see it."""
        return FunderAmount(funder=share.funder, amount=Money.of(share.amount_minor, currency))


@strawberry.type(description="One coupon's part in the discount of a line, or of the shipping fee.")
class Allocation:
    amount: Money = strawberry.field(description="What it takes off there.")
    shares: list[FunderAmount] = strawberry.field(description="Who bears it; they sum to the amount.")
    key: strawberry.Private[CouponKey]

    @staticmethod
    def from_domain(allocation: pricing.Allocation, *, member_id: MemberId, currency: str) -> "Allocation":
        """The domain's allocation as clients see it."""
        return Allocation(
            amount=Money.of(allocation.amount_minor, currency),
            shares=[FunderAmount.from_domain(share, currency=currency) for share in allocation.shares],
            key=CouponKey(member_id, allocation.coupon_id),
        )

    @strawberry.field(description="The coupon.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.key)


@strawberry.type(description="A line with what every coupon takes off it, and what points pay of it.")
class QuoteLine:
    id: strawberry.ID = strawberry.field(description="The caller's own, as in the cart.")
    quantity: int = strawberry.field(description="How many units.")
    subtotal: Money = strawberry.field(description="Before discounts.")
    discount: Money = strawberry.field(description="All that the coupons take off.")
    points_paid: Money = strawberry.field(description="What points pay of it.")
    payable: Money = strawberry.field(description="What the member pays for it in money.")
    allocations: list[Allocation] = strawberry.field(description="Each coupon's part; they sum to the discount.")

    @staticmethod
    def from_domain(line: model.QuotedLine, *, member_id: MemberId, currency: str) -> "QuoteLine":
        """The domain's line as clients see it."""
        return QuoteLine(
            id=strawberry.ID(line.id),
            quantity=line.quantity,
            subtotal=Money.of(line.subtotal_minor, currency),
            discount=Money.of(line.discount_minor, currency),
            points_paid=Money.of(line.points_minor, currency),
            payable=Money.of(line.payable_minor, currency),
            allocations=[Allocation.from_domain(a, member_id=member_id, currency=currency) for a in line.allocations],
        )


@strawberry.type(description="A coupon that acts.")
class AppliedOffer:
    amount: Money = strawberry.field(description="All that it takes off, lines and shipping.")
    full_amount: Money | None = strawberry.field(
        description="What it would take off, were there enough left of its campaign's budget: more than amount. Null "
        "where it takes all of it. Budget.remainder says whether a coupon acts so."
    )
    shares: list[FunderAmount] = strawberry.field(description="Who bears it; they sum to the amount.")
    key: strawberry.Private[CouponKey]
    applied: strawberry.Private[model.AppliedCoupon]
    currency: strawberry.Private[str]

    @strawberry.field(
        description="Why it acts: every check, each passed. Null in the quote of what is reserved or redeemed already."
    )
    def eligibility(self, info: Info) -> Eligibility | None:
        """Its proof, worked out when it is asked for."""
        decided = self.applied.eligibility
        if decided is None:
            return None
        return Eligibility.from_domain(decided, currency=self.currency, locale=info.context.locale)

    @strawberry.field(description="The coupon.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.key)


@strawberry.type(description="A coupon that does not act here, and is not used up.")
class RejectedOffer:
    key: strawberry.Private[CouponKey]
    refused: strawberry.Private[model.Refused]
    currency: strawberry.Private[str]

    @strawberry.field(description="Why not, and what would help.")
    def eligibility(self, info: Info) -> Eligibility:
        """Its proof, worked out when it is asked for."""
        decided = self.refused.eligibility
        return Eligibility.from_domain(decided, currency=self.currency, locale=info.context.locale)

    @strawberry.field(description="The coupon.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.key)

    @strawberry.field(description="The applied coupon that it does not go together with; null without one.")
    async def conflicts_with(self, info: Info) -> Coupon | None:
        """What is in its way."""
        rival = self.refused.conflicts_with
        if rival is None:
            return None
        return await used_coupon(info.context, CouponKey(self.key.member_id, rival))


publish_enum(
    model.QuoteStrategy,
    "Which coupons a quote is made with.",
    values={
        "BEST": "The combination of the member's coupons that leaves it paying least; it is searched for.",
        "CHOSEN": "Exactly the coupons that are named, each applied or refused.",
    },
)
publish_enum(
    OptimalityStatus,
    "What is known of the best combination that was found.",
    values={
        "PROVEN": "No combination of the coupons saves more.",
        "BOUNDED": "The time for the search ran out: another combination may save more, by at most the gap.",
    },
)


@strawberry.type(
    description="How good the combination is. Chosen coupons, and those of an order that is paid, are the only "
    "combination there is: PROVEN, one explored."
)
class Optimality:
    status: OptimalityStatus = strawberry.field(description="Whether it is proven to be the best.")
    explored: int = strawberry.field(description="How many combinations were explored; the others were ruled out.")
    gap: Money = strawberry.field(description="What another combination could save more, at most; 0 where proven.")

    @staticmethod
    def from_domain(optimality: answers.Optimality, *, currency: str) -> "Optimality":
        """The domain's judgement as clients see it."""
        return Optimality(
            status=optimality.status, explored=optimality.explored, gap=Money.of(optimality.gap_minor, currency)
        )


@strawberry.type(description="Coupons that all act together on the cart.")
class Combination:
    discount: Money = strawberry.field(description="All that they take off.")
    payable: Money = strawberry.field(description="What the member pays with them.")
    keys: strawberry.Private[Sequence[CouponKey]]

    @strawberry.field(description="The coupons, in the order in which they act.")
    async def coupons(self, info: Info) -> list[Coupon]:
        """Its coupons."""
        return list(await gather(*(used_coupon(info.context, key) for key in self.keys)))


@strawberry.type(
    description="What a cart costs with these coupons: payable = subtotal + shipping - discount - pointsPaid."
)
class Quote:
    lines: list[QuoteLine] = strawberry.field(description="The cart's lines, in its order.")
    subtotal: Money = strawberry.field(description="All lines before discounts, without shipping.")
    discount: Money = strawberry.field(description="All that the coupons take off.")
    shipping: Money = strawberry.field(description="The shipping fee before discounts.")
    points_used: SafeInt = strawberry.field(
        description="How many points pay: of those that were offered, what the account has and the goods leave to pay; "
        "none while points are owed."
    )
    points_paid: Money = strawberry.field(description="What these points pay of the goods; never of the shipping.")
    payable: Money = strawberry.field(description="What the member pays in money.")
    shipping_allocations: list[Allocation] = strawberry.field(description="Each coupon's part in the shipping fee.")
    applied: list[AppliedOffer] = strawberry.field(description="The coupons that act, in the order in which they do.")
    not_applied: list[RejectedOffer] = strawberry.field(
        description="The coupons that do not, each with the proof: with CHOSEN all of them, with BEST of more than "
        f"{MAX_EXPLAINED} those that expire soonest. CHOSEN explains any other."
    )
    points_earned: SafeInt = strawberry.field(
        description="What paying it promises: by the money paid for goods, with the tier's bonus."
    )
    valid_until: datetime = strawberry.field(
        description="The price holds before this instant, unless a coupon is used elsewhere in the meantime."
    )

    optimality: Optimality = strawberry.field(description="How good the combination is.")
    points_decision: Eligibility | None = strawberry.field(
        description="Whether all points that were offered are used, and why not; null where none were offered."
    )
    found: strawberry.Private[Sequence[Combination]]
    entity: strawberry.Private[model.Quote]

    @strawberry.field(
        description="What this quote says, in a few characters. Give it to reserveCoupons, which answers QUOTE_CHANGED "
        "with the new quote where cart, coupons, points or price are not these any more, or validUntil is over. It is "
        "no permission."
    )
    def quote_token(self) -> str:
        """Its token."""
        return token_of(self.entity)

    @strawberry.field(
        description="Other combinations that the search came across, the larger saving first: good ones, not certainly "
        "the next best. None is a part of the best or of one before it. Empty where nothing was searched for."
    )
    def alternatives(
        self,
        first: Annotated[
            int | None, strawberry.argument(description=f"How many, at most {MAX_ALTERNATIVES}.")
        ] = ALTERNATIVES_DEFAULT,
    ) -> list[Combination]:
        """What else would do."""
        first = ALTERNATIVES_DEFAULT if first is None else first
        if not 0 <= first <= MAX_ALTERNATIVES:
            raise BadUserInput(f"first is 0 to {MAX_ALTERNATIVES}", path=["first"])
        return list(self.found[:first])

    @staticmethod
    def of_best(best: model.BestQuote, *, locale: str) -> "Quote":
        """The quote of a search as clients see it."""
        quote, owner, currency = Quote.from_domain(best.quote, locale=locale), best.quote.member_id, best.quote.currency
        quote.optimality = Optimality.from_domain(best.optimality, currency=currency)
        quote.not_applied = _rejected(best.not_applied, owner=owner, currency=currency)
        quote.found = [
            Combination(
                discount=Money.of(one.discount_minor, currency),
                payable=Money.of(one.payable_minor, currency),
                keys=[CouponKey(owner, coupon_id) for coupon_id in one.coupon_ids],
            )
            for one in best.alternatives
        ]
        return quote

    @staticmethod
    def from_domain(quote: model.Quote, *, locale: str) -> "Quote":
        """The domain's quote as clients see it."""
        owner, currency = quote.member_id, quote.currency
        return Quote(
            lines=[QuoteLine.from_domain(line, member_id=owner, currency=currency) for line in quote.lines],
            subtotal=Money.of(quote.subtotal_minor, currency),
            discount=Money.of(quote.discount_minor, currency),
            shipping=Money.of(quote.shipping_minor, currency),
            points_used=SafeInt(quote.points_used),
            points_paid=Money.of(quote.points_minor, currency),
            payable=Money.of(quote.payable_minor, currency),
            shipping_allocations=[
                Allocation.from_domain(a, member_id=owner, currency=currency) for a in quote.shipping_allocations
            ],
            applied=[
                AppliedOffer(
                    amount=Money.of(one.amount_minor, currency),
                    full_amount=None if one.full_minor is None else Money.of(one.full_minor, currency),
                    shares=[FunderAmount.from_domain(share, currency=currency) for share in one.shares],
                    key=CouponKey(owner, one.coupon_id),
                    applied=one,
                    currency=currency,
                )
                for one in quote.applied
            ],
            not_applied=_rejected(quote.not_applied, owner=owner, currency=currency),
            points_earned=SafeInt(quote.points_earned),
            valid_until=quote.valid_until,
            optimality=Optimality.from_domain(answers.ONLY_ONE, currency=currency),
            points_decision=None
            if quote.points_decision is None
            else Eligibility.from_domain(quote.points_decision, currency=currency, locale=locale),
            found=[],
            entity=quote,
        )


def _rejected(refused: Sequence[model.Refused], *, owner: MemberId, currency: str) -> list[RejectedOffer]:
    return [RejectedOffer(key=CouponKey(owner, one.coupon_id), refused=one, currency=currency) for one in refused]


@strawberry.input(description="A cart to price.")
class QuoteInput:
    cart: CartInput = strawberry.field(description="What is about to be bought.")
    coupon_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description=f"The coupons to use, at most {MAX_COUPONS_PER_ORDER}: the member's own, named with the strategy "
        "CHOSEN alone; an empty list prices without any.",
    )
    points: SafeInt | None = strawberry.field(
        default=None,
        description="Points to pay with, after coupons and before balances; those are used that the account has and "
        "the goods leave something to pay for.",
    )
    member_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who buys: for services and operators, who must say. A member buys for itself."
    )
    strategy: model.QuoteStrategy | None = strawberry.field(
        default=model.QuoteStrategy.BEST,
        description=f"Which coupons to use. BEST searches what of the wallet may be used now, of a large one the "
        f"{MAX_CONSIDERED} coupons that expire soonest.",
    )


async def used_coupon(context: Context, key: CouponKey) -> Coupon:
    """A coupon of a quote or a redemption: the viewer's own, or one that was redeemed at the viewer's."""
    coupon = await context.load.redeemed_coupons.load(key)
    assert coupon is not None, "who sees a quote or a redemption sees its coupons"
    return Coupon.from_domain(coupon)
