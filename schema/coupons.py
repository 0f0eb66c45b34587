"""Coupons as clients see them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Annotated

import segno
import strawberry

from domain.coupons import model
from domain.coupons.entries import WalletEntry
from domain.coupons.model import CouponOrder, WalletChange
from domain.coupons.offer import CouponState
from domain.coupons.pricing import PricingPolicy
from domain.coupons.wallet import HeldCoupon, eligibility_for, with_owner
from domain.shared.errors import BadUserInput, Forbidden
from domain.shared.events import StoredEvent
from domain.shared.ids import MemberId
from schema.asked import reads
from schema.carts import CartInput
from schema.catalogue import kept_by
from schema.context import Context, Info, Later
from schema.coupon_templates import CouponTemplate, CouponTerm, find_template
from schema.eligibility import Eligibility
from schema.enums import publish_enum
from schema.money import Money
from schema.node_ids import NodeType, owned_node_id, owned_node_ids
from schema.nodes import Node
from schema.owners import LoadedFacts
from schema.paging import (
    PAGE_SIZE_DEFAULT,
    After,
    Connection,
    First,
    connection,
    page_request,
)
from schema.scalars import SafeInt

TTL_SECONDS_DEFAULT = 60
TTL_SECONDS_MIN, TTL_SECONDS_MAX = 5, 300

publish_enum(
    CouponState,
    "Where a coupon is in its life.",
    values={
        "CLAIMED": "Can be used within its validity.",
        "RESERVED": "Held for an order.",
        "REDEEMED": "Used.",
        "EXPIRED": "Its validity is over.",
        "VOIDED": "Taken back.",
    },
)
publish_enum(
    CouponOrder,
    "How a wallet is listed.",
    values={
        "EXPIRES_SOONEST": "By the end of validity, the soonest first.",
        "CLAIMED_LATEST": "By the claim, the latest first.",
        "BEST_VALUE": "By what each takes off the cart of filter.usableFor by itself, the most first.",
    },
)
publish_enum(
    WalletChange,
    "What happened to a coupon.",
    values={
        "CLAIMED": "It came into the wallet.",
        "RESERVED": "It is held for an order.",
        "RELEASED": "It is no longer held.",
        "REDEEMED": "It was used; of a balance, a part of it.",
        "RESTORED": "A refund gave it back, or a part of its balance.",
        "EXPIRED": "Its validity ended.",
        "VOIDED": "It was taken back.",
    },
)


@strawberry.type(description="One event in a coupon's life.")
class CouponEvent:
    sequence: SafeInt = strawberry.field(description="Its number in the wallet.")
    change: WalletChange = strawberry.field(description="What happened.")
    occurred_at: datetime = strawberry.field(description="When.")
    reason: str | None = strawberry.field(
        description="Why, where whoever did it said so: of a coupon that was issued, or taken back."
    )

    @staticmethod
    def from_domain(event: StoredEvent) -> "CouponEvent":
        """The stored event as clients see it."""
        reason = event.facts.get("reason")
        return CouponEvent(
            sequence=SafeInt(event.sequence),
            change=WalletChange(event.kind),
            occurred_at=event.occurred_at,
            reason=reason if isinstance(reason, str) else None,
        )


@strawberry.type(description="What a shop scans: a signed, short-lived permission to redeem one coupon.")
class RedemptionCode:
    token: str = strawberry.field(description="For a till that reads text.")
    expires_at: datetime = strawberry.field(description="Ask for a new one before this instant.")

    @strawberry.field(description="The token as a QR code, an SVG image.")
    def qr_svg(self) -> str:
        """The token as a picture."""
        image = BytesIO()
        segno.make_qr(self.token, error="m").save(image, kind="svg", xmldecl=False, svgns=True, scale=4)
        return image.getvalue().decode()


Cart = Annotated[CartInput, strawberry.argument(description="What the member is about to buy.")]
Ttl = Annotated[
    int | None, strawberry.argument(description=f"How many seconds it lives, {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX}.")
]


# Each is worked out where it is asked for: a list has many coupons, and few of their fields are.


def _code_of(self: "Coupon") -> str:
    return self.entry.code


def _state_of(self: "Coupon") -> CouponState:
    return self.entry.state


def _claimed_at_of(self: "Coupon") -> datetime:
    return self.entry.claimed_at


def _valid_from_of(self: "Coupon") -> datetime:
    return self.entry.valid_from


def _valid_until_of(self: "Coupon") -> datetime:
    return self.entry.valid_until


@strawberry.type(description="A coupon 用户券 that a member owns, with the terms as they stood when it was claimed.")
class Coupon(Node):
    entry: strawberry.Private[WalletEntry]
    code: str = strawberry.field(
        resolver=_code_of, metadata=reads("entry.code"), description="What a person can read out."
    )
    state: CouponState = strawberry.field(
        resolver=_state_of,
        metadata=reads("entry.state"),
        description="Its state now; past its validity it is EXPIRED at once.",
    )
    claimed_at: datetime = strawberry.field(
        resolver=_claimed_at_of, metadata=reads("entry.claimed_at"), description="When it was claimed."
    )
    valid_from: datetime = strawberry.field(
        resolver=_valid_from_of, metadata=reads("entry.valid_from"), description="It can be used from this instant."
    )
    valid_until: datetime = strawberry.field(
        resolver=_valid_until_of, metadata=reads("entry.valid_until"), description="Until before this instant."
    )

    @staticmethod
    def from_domain(coupon: WalletEntry) -> "Coupon":
        """The domain's coupon as clients see it."""
        return Coupon(entry=coupon, id=owned_node_id(NodeType.Coupon, coupon.id, member_id=coupon.member_id))

    @staticmethod
    def of_wallet(member_id: MemberId, coupons: Sequence[WalletEntry]) -> "list[Coupon]":
        """The coupons of one member as clients see them. Nearly all clients ask for ids, which are made together."""
        ids = owned_node_ids(NodeType.Coupon, [coupon.id.bytes for coupon in coupons], member_id=member_id)
        made = [Coupon.__new__(Coupon) for _ in ids]  # a third of what the constructor costs
        for self, coupon, id_ in zip(made, coupons, ids, strict=True):
            self.entry = coupon
            self.id = id_
        return made

    @property
    def entity(self) -> model.Coupon:
        """All of it."""
        return self.entry.whole

    @strawberry.field(
        description="What it is a coupon of.", graphql_type=CouponTemplate, metadata=kept_by("entry.template_id.bytes")
    )
    def template(self, info: Info) -> Later[CouponTemplate | None]:
        """Its template. What was claimed is published, and stays so."""
        return find_template(info.context, self.entry.template_id)

    @strawberry.field(description="What it says in a list, in the viewer's locale: 满100减20.")
    async def headline(self, info: Info) -> str:
        """Its headline."""
        held = await held_coupon(info.context, self.entity)
        headline = self.entity.coupon_kind.headline(self.entity.terms, held.template.currency)
        return headline.read_in(info.context.locale)

    @strawberry.field(description="Its terms as they stood when it was claimed: no later edit changes them.")
    async def terms(self, info: Info) -> list[CouponTerm]:
        """Its terms."""
        held = await held_coupon(info.context, self.entity)
        terms = self.entity.coupon_kind.terms_to_list(self.entity.terms, currency=held.template.currency)
        return [CouponTerm.from_domain(term) for term in terms]

    @strawberry.field(
        description="What is left on a coupon that keeps a balance (CASH): an order takes a part, the rest stays. "
        "Null: the coupon is used as a whole."
    )
    async def balance(self, info: Info) -> Money | None:
        """What is left on it."""
        if self.entity.balance_minor is None:
            return None
        held = await held_coupon(info.context, self.entity)
        return Money.of(self.entity.balance_minor, held.template.currency)

    @strawberry.field(description="Whether it, by itself, would act on a cart now, and why.")
    async def eligibility(self, info: Info, cart: Cart) -> Eligibility:
        """The decision for a cart."""
        given = cart.to_domain(argument="cart")
        held = await with_owner(LoadedFacts(info.context), [await held_coupon(info.context, self.entity)])
        policy = PricingPolicy(info.context.programme.min_payable_minor)
        decided = eligibility_for(held[0], cart=given, at=self.entity.read_at, policy=policy)
        return Eligibility.from_domain(decided, currency=given.currency, locale=info.context.locale)

    @strawberry.field(description="What a shop scans. The member's own phone shows it; nobody else can ask for it.")
    def redemption_code(self, info: Info, ttl_seconds: Ttl = TTL_SECONDS_DEFAULT) -> RedemptionCode:
        """A new code."""
        seconds = TTL_SECONDS_DEFAULT if ttl_seconds is None else ttl_seconds
        if not TTL_SECONDS_MIN <= seconds <= TTL_SECONDS_MAX:
            raise BadUserInput(f"ttlSeconds must be {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX}", path=["ttlSeconds"])
        principal = info.context.principal
        if principal is None or principal.member_id != self.entity.member_id:
            raise Forbidden("a redemption code is shown to the coupon's owner alone")
        expires_at = self.entity.read_at + timedelta(seconds=seconds)
        token = info.context.redemption_tokens.sign(self.entity.member_id, self.entity.id, expires_at)
        return RedemptionCode(token=token, expires_at=expires_at)

    @strawberry.field(description="What happened to it, in order.")
    async def history(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[CouponEvent]:
        """A page of its history."""
        key = model.CouponKey(self.entry.member_id, self.entry.id)
        found = await info.context.load.history_of_coupon.load((key, page_request(first, after)))
        return connection(found, nodes=[CouponEvent.from_domain(event) for event in found.items])


async def held_coupon(context: Context, coupon: model.Coupon) -> HeldCoupon:
    """The coupon with its template, which is listed, or read."""
    listed = context.catalogue.templates.get(coupon.template_id)
    template = await context.load.templates.load(coupon.template_id) if listed is None else listed.thing
    assert template is not None, "what was claimed is published, and stays so"
    return HeldCoupon(coupon, template)


async def load_coupon(context: Context, key: model.CouponKey) -> Coupon | None:
    """A coupon by its key, where the viewer may see it."""
    coupon = await context.load.coupons.load(key)
    return None if coupon is None else Coupon.from_domain(coupon)
