"""Quotes 试算 as clients see them: what a cart costs, to the fen, with a proof for every coupon."""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from domain.coupons import pricing
from domain.coupons.model import CouponKey
from domain.coupons.offer import Funder
from domain.coupons.solver.answers import OptimalityStatus
from domain.coupons.solver.search import MAX_ALTERNATIVES
from domain.coupons.wallet import MAX_CONSIDERED
from domain.orders import model
from domain.orders.quotes import MAX_COUPONS_IN_QUOTE
from domain.shared.errors import BadUserInput
from domain.shared.ids import CouponId, MemberId
from schema.carts import CartInput
from schema.context import Context, Info
from schema.coupons import Coupon
from schema.eligibility import Eligibility
from schema.enums import publish_enum
from schema.money import Money
from schema.scalars import SafeInt


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


@strawberry.type(description="A line with what every coupon takes off it.")
class QuoteLine:
    id: strawberry.ID = strawberry.field(description="The caller's own, as in the cart.")
    quantity: int = strawberry.field(description="How many units.")
    subtotal: Money = strawberry.field(description="Before discounts.")
    discount: Money = strawberry.field(description="All that the coupons take off.")
    payable: Money = strawberry.field(description="What the member pays for it.")
    allocations: list[Allocation] = strawberry.field(description="Each coupon's part; they sum to the discount.")

    @staticmethod
    def from_domain(line: model.QuotedLine, *, member_id: MemberId, currency: str) -> "QuoteLine":
        """The domain's line as clients see it."""
        return QuoteLine(
            id=strawberry.ID(line.id),
            quantity=line.quantity,
            subtotal=Money.of(line.subtotal_minor, currency),
            discount=Money.of(line.discount_minor, currency),
            payable=Money.of(line.payable_minor, currency),
            allocations=[Allocation.from_domain(a, member_id=member_id, currency=currency) for a in line.allocations],
        )


@strawberry.type(description="A coupon that acts.")
class AppliedOffer:
    amount: Money = strawberry.field(description="All that it takes off, lines and shipping.")
    shares: list[FunderAmount] = strawberry.field(description="Who bears it; they sum to the amount.")
    key: strawberry.Private[CouponKey]

    @strawberry.field(description="The coupon.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.key)


@strawberry.type(description="A coupon that does not act here, and is not used up.")
class RejectedOffer:
    eligibility: Eligibility = strawberry.field(description="Why not, and what would help.")
    key: strawberry.Private[CouponKey]
    rival: strawberry.Private[CouponId | None]

    @strawberry.field(description="The coupon.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.key)

    @strawberry.field(description="The applied coupon that it does not go together with; null without one.")
    async def conflicts_with(self, info: Info) -> Coupon | None:
        """What is in its way."""
        if self.rival is None:
            return None
        return await used_coupon(info.context, CouponKey(self.key.member_id, self.rival))


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


@strawberry.type(description="How good the combination is that a search found.")
class Optimality:
    status: OptimalityStatus = strawberry.field(description="Whether it is proven to be the best.")
    explored: int = strawberry.field(description="How many combinations were explored; the others were ruled out.")
    gap: Money = strawberry.field(description="What another combination could save more, at most; 0 where proven.")


@strawberry.type(description="Coupons that all act together on the cart.")
class Combination:
    discount: Money = strawberry.field(description="All that they take off.")
    payable: Money = strawberry.field(description="What the member pays with them.")
    keys: strawberry.Private[Sequence[CouponKey]]

    @strawberry.field(description="The coupons, in the order in which they act.")
    async def coupons(self, info: Info) -> list[Coupon]:
        """Its coupons."""
        return list(await gather(*(used_coupon(info.context, key) for key in self.keys)))


@strawberry.type(description="What a cart costs with these coupons: payable = subtotal + shipping - discount.")
class Quote:
    lines: list[QuoteLine] = strawberry.field(description="The cart's lines, in its order.")
    subtotal: Money = strawberry.field(description="All lines before discounts, without shipping.")
    discount: Money = strawberry.field(description="All that the coupons take off.")
    shipping: Money = strawberry.field(description="The shipping fee before discounts.")
    payable: Money = strawberry.field(description="What the member pays.")
    shipping_allocations: list[Allocation] = strawberry.field(description="Each coupon's part in the shipping fee.")
    applied: list[AppliedOffer] = strawberry.field(description="The coupons that act, in the order in which they do.")
    not_applied: list[RejectedOffer] = strawberry.field(description="The coupons that do not, each with the proof.")
    points_earned: SafeInt = strawberry.field(
        description="What paying it promises: by the money paid for goods, with the tier's bonus."
    )
    valid_until: datetime = strawberry.field(
        description="The price holds before this instant, unless a coupon is used elsewhere in the meantime."
    )

    optimality: Optimality | None = strawberry.field(
        description="How good the combination is; null where none was searched for: the coupons were chosen."
    )
    found: strawberry.Private[Sequence[Combination]]

    @strawberry.field(
        description="Other combinations that the search came across, the larger saving first: good ones, not certainly "
        "the next best. None is a part of the best or of one before it. Empty where nothing was searched for."
    )
    def alternatives(
        self,
        first: Annotated[int, strawberry.argument(description=f"How many, at most {MAX_ALTERNATIVES}.")] = 3,
    ) -> list[Combination]:
        """What else would do."""
        if not 0 <= first <= MAX_ALTERNATIVES:
            raise BadUserInput(f"first is 0 to {MAX_ALTERNATIVES}", path=["first"])
        return list(self.found[:first])

    @staticmethod
    def of_best(best: model.BestQuote, *, locale: str) -> "Quote":
        """The quote of a search as clients see it."""
        quote, owner, currency = Quote.from_domain(best.quote, locale=locale), best.quote.member_id, best.quote.currency
        quote.optimality = Optimality(
            status=best.optimality.status,
            explored=best.optimality.explored,
            gap=Money.of(best.optimality.gap_minor, currency),
        )
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
            payable=Money.of(quote.payable_minor, currency),
            shipping_allocations=[
                Allocation.from_domain(a, member_id=owner, currency=currency) for a in quote.shipping_allocations
            ],
            applied=[
                AppliedOffer(
                    amount=Money.of(one.amount_minor, currency),
                    shares=[FunderAmount.from_domain(share, currency=currency) for share in one.shares],
                    key=CouponKey(owner, one.coupon_id),
                )
                for one in quote.applied
            ],
            not_applied=[
                RejectedOffer(
                    eligibility=Eligibility.from_domain(one.eligibility, currency=currency, locale=locale),
                    key=CouponKey(owner, one.coupon_id),
                    rival=one.conflicts_with,
                )
                for one in quote.not_applied
            ],
            points_earned=SafeInt(quote.points_earned),
            valid_until=quote.valid_until,
            optimality=None,
            found=[],
        )


@strawberry.input(description="A cart to price.")
class QuoteInput:
    cart: CartInput = strawberry.field(description="What is about to be bought.")
    coupon_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description=f"The coupons to use, at most {MAX_COUPONS_IN_QUOTE}: the member's own, named with the strategy "
        "CHOSEN alone; an empty list prices without any.",
    )
    member_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who buys: for services and operators, who must say. A member buys for itself."
    )
    strategy: model.QuoteStrategy = strawberry.field(
        default=model.QuoteStrategy.BEST,
        description=f"Which coupons to use. BEST searches what of the wallet may be used now, of a large one the "
        f"{MAX_CONSIDERED} coupons that expire soonest.",
    )


async def used_coupon(context: Context, key: CouponKey) -> Coupon:
    """A coupon of a quote or a redemption: the viewer's own, or one that was redeemed at the viewer's."""
    coupon = await context.load.redeemed_coupons.load(key)
    assert coupon is not None, "who sees a quote or a redemption sees its coupons"
    return Coupon.from_domain(coupon)
