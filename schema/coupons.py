"""Coupons and wallets as clients see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Annotated, Final

import segno
import strawberry

from domain.coupons import model
from domain.coupons.entries import WalletEntry
from domain.coupons.model import CouponOrder, WalletChange
from domain.coupons.offer import CouponState
from domain.coupons.pricing import PricingPolicy
from domain.coupons.wallet import MAX_CONSIDERED, HeldCoupon, eligibility_for, usable_page, with_owner
from domain.shared.errors import BadUserInput, Forbidden
from domain.shared.events import StoredEvent
from domain.shared.ids import MemberId, MerchantId
from domain.shared.paging import Page, PageRequest
from schema.asked import Asked, asked_below, reads
from schema.carts import CartInput
from schema.catalogue import kept_by
from schema.context import Context, Info, Later
from schema.coupon_templates import CouponTemplate, CouponTerm, find_template
from schema.eligibility import Eligibility
from schema.enums import publish_enum
from schema.money import Money
from schema.node_ids import NodeType, expect_id, owned_node_id, owned_node_ids
from schema.nodes import Node
from schema.owners import LoadedFacts
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
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
        ids = owned_node_ids(NodeType.Coupon, [coupon.id for coupon in coupons], member_id=member_id)
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
        held = await _held(info.context, self.entity)
        headline = self.entity.coupon_kind.headline(self.entity.terms, held.template.currency)
        return headline.read_in(info.context.locale)

    @strawberry.field(description="Its terms as they stood when it was claimed: no later edit changes them.")
    async def terms(self, info: Info) -> list[CouponTerm]:
        """Its terms."""
        held = await _held(info.context, self.entity)
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
        held = await _held(info.context, self.entity)
        return Money.of(self.entity.balance_minor, held.template.currency)

    @strawberry.field(description="Whether it, by itself, would act on a cart now, and why.")
    async def eligibility(self, info: Info, cart: Cart) -> Eligibility:
        """The decision for a cart."""
        given = cart.to_domain(argument="cart")
        held = await with_owner(LoadedFacts(info.context), [await _held(info.context, self.entity)])
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


@strawberry.type(description="How many coupons of each state a wallet holds, counted now.")
class WalletCounts:
    claimed: int = strawberry.field(description="Can be used within their validity.")
    reserved: int = strawberry.field(description="Held for an order.")
    redeemed: int = strawberry.field(description="Used.")
    expired: int = strawberry.field(description="Their validity is over.")
    expiring_soon: int = strawberry.field(
        description=f"Of the claimed: those that expire within {model.EXPIRING_SOON_DAYS} days."
    )


@strawberry.input(description="Which coupons a list shows; what is not given does not limit it.")
class CouponFilter:
    states: list[CouponState] | None = strawberry.field(default=None, description="In one of these states now.")
    merchant_id: strawberry.ID | None = strawberry.field(default=None, description="Issued by this merchant.")
    usable_for: CartInput | None = strawberry.field(
        default=None,
        description="Those that would each, by itself, act on this cart now; of a large wallet the "
        f"{MAX_CONSIDERED} that expire soonest are considered.",
    )


Filter = Annotated[CouponFilter | None, strawberry.argument(description="Which coupons.")]
Order = Annotated[
    CouponOrder | None,
    strawberry.argument(description="CLAIMED_LATEST unless given; BEST_VALUE needs filter.usableFor."),
]


@dataclass(frozen=True, slots=True)
class WalletAhead:
    """A page of a wallet that was read along with its member, for whoever asks for just that page."""

    query: model.WalletQuery
    request: PageRequest
    page: Page[WalletEntry]


# Of a coupon's fields those that look at few names of its entry: which. All others look at the whole.
_LOOKS_AT: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset({name}) for name in ("id", "state", "code", "claimed_at", "valid_from", "valid_until")},
    "template": frozenset({"template_id"}),
    "history": frozenset({"id"}),
    "__typename": frozenset(),
}


def looked_at(asked: Asked | None, *path: str) -> frozenset[str] | None:
    """The names of its entries that a connection of coupons will look at; None: any."""
    return None if asked is None else _looked_at_in(asked, path)


@lru_cache(maxsize=1_000)  # an operation asks for the same each time
def _looked_at_in(asked: Asked, path: tuple[str, ...]) -> frozenset[str] | None:
    edges = asked.names(*path, "edges")
    return _looked_at(
        asked.names(*path, "edges", "node") | asked.names(*path, "nodes"),
        keys="cursor" in edges or "page_info" in asked.names(*path),
    )


def _looked_at(fields: frozenset[str], *, keys: bool) -> frozenset[str] | None:
    if not fields <= _LOOKS_AT.keys():
        return None
    return frozenset({"keys"} if keys else ()).union(*(_LOOKS_AT[name] for name in fields))


@strawberry.type(description="A member's coupons.")
class Wallet:
    member_id: strawberry.Private[MemberId]
    ahead: strawberry.Private[WalletAhead | None] = None

    @strawberry.field(description="Its coupons.")
    async def coupons(
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        filter: Filter = None,
        order_by: Order = None,
    ) -> Connection[Coupon]:
        """A page of it."""
        given, page = filter or CouponFilter(), page_request(first, after)
        query = _query(given, order=order_by)
        found: Page[model.Coupon] | Page[WalletEntry]
        if given.usable_for is not None:
            found = await _usable(info.context, self.member_id, given.usable_for, query=query, page=page)
        elif query.order is CouponOrder.BEST_VALUE:
            raise BadUserInput("orderBy BEST_VALUE needs filter.usableFor", path=["orderBy"])
        else:
            found = await self._page(info, query=query, page=page)
        return connection(found, nodes=Coupon.of_wallet(self.member_id, found.items))

    async def _page(self, info: Info, *, query: model.WalletQuery, page: PageRequest) -> Page[WalletEntry]:
        ahead = self.ahead
        if ahead is not None and (ahead.request, ahead.query) == (page, query):
            return ahead.page
        return await info.context.reads.coupons.wallet_page(
            self.member_id, query=query, page=page, scope=info.context.scope, names=looked_at(asked_below(info))
        )

    @strawberry.field(description="How many it holds of each state.")
    async def counts(self, info: Info) -> WalletCounts:
        """Its counts."""
        counts = await info.context.load.wallet_counts.load(self.member_id) or model.WalletCounts()
        return WalletCounts(
            claimed=counts.claimed,
            reserved=counts.reserved,
            redeemed=counts.redeemed,
            expired=counts.expired,
            expiring_soon=counts.expiring_soon,
        )

    @strawberry.field(description="The number of its last event; give it to walletChanged(since:).")
    async def sequence(self, info: Info) -> SafeInt:
        """The last event of it."""
        return SafeInt(await info.context.load.wallet_sequences.load(self.member_id) or 0)


def plain_page(
    *, first: int | None, after: str | None, filter: CouponFilter | None, order_by: CouponOrder | None
) -> tuple[model.WalletQuery, PageRequest] | None:
    """The page of a wallet that these arguments of `coupons` ask for; None where it is no plain one, or an error."""
    given = filter or CouponFilter()
    if given.usable_for is not None or order_by is CouponOrder.BEST_VALUE:
        return None
    try:
        return _query(given, order=order_by), page_request(first, after)
    except BadUserInput:
        return None


_WHOLE: Final = {order: model.WalletQuery(order=order) for order in CouponOrder}


def _query(given: CouponFilter, *, order: CouponOrder | None) -> model.WalletQuery:
    if given.states is None and given.merchant_id is None:
        return _WHOLE[order or CouponOrder.CLAIMED_LATEST]
    merchant = given.merchant_id and expect_id(given.merchant_id, NodeType.Merchant, argument="filter.merchantId")
    return model.WalletQuery(
        states=None if given.states is None else frozenset(given.states),
        merchant_id=MerchantId(merchant.id) if merchant else None,
        order=order or CouponOrder.CLAIMED_LATEST,
    )


async def _usable(
    context: Context, member_id: MemberId, cart: CartInput, *, query: model.WalletQuery, page: PageRequest
) -> Page[model.Coupon]:
    given = cart.to_domain(argument="filter.usableFor")
    coupons = await context.reads.coupons.live_coupons(
        member_id, merchant_id=query.merchant_id, limit=MAX_CONSIDERED, scope=context.scope
    )
    if not coupons or (query.states is not None and CouponState.CLAIMED not in query.states):
        return Page(items=(), keys=(), has_next=False, has_previous=page.after is not None)
    listed = context.catalogue.templates
    missing = list({coupon.template_id for coupon in coupons} - listed.keys())
    read = dict(zip(missing, await context.load.templates.load_many(missing) if missing else (), strict=True))
    templates = [known.thing if (known := listed.get(c.template_id)) else read[c.template_id] for c in coupons]
    held = [HeldCoupon(coupon, template) for coupon, template in zip(coupons, templates, strict=True) if template]
    held = list(await with_owner(LoadedFacts(context), held))
    policy = PricingPolicy(context.programme.min_payable_minor)
    return usable_page(held, cart=given, order=query.order, page=page, at=coupons[0].read_at, policy=policy)


async def _held(context: Context, coupon: model.Coupon) -> HeldCoupon:
    listed = context.catalogue.templates.get(coupon.template_id)
    template = await context.load.templates.load(coupon.template_id) if listed is None else listed.thing
    assert template is not None, "what was claimed is published, and stays so"
    return HeldCoupon(coupon, template)


async def load_coupon(context: Context, key: model.CouponKey) -> Coupon | None:
    """A coupon by its key, where the viewer may see it."""
    coupon = await context.load.coupons.load(key)
    return None if coupon is None else Coupon.from_domain(coupon)
