"""Wallets as clients see them: pages of coupons, counts, the number of the last event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import strawberry

from domain.coupons import model
from domain.coupons.entries import EntryColumns, WalletEntry
from domain.coupons.model import CouponOrder
from domain.coupons.offer import CouponState
from domain.coupons.pricing import PricingPolicy
from domain.coupons.wallet import MAX_CONSIDERED, HeldCoupon, usable_page, with_owner
from domain.shared.errors import BadUserInput
from domain.shared.ids import MemberId, MerchantId
from domain.shared.paging import Page, PageRequest
from schema.asked import Asked, asked_below
from schema.carts import CartInput
from schema.context import Context, Info, Later
from schema.coupons import Coupon
from schema.node_ids import NodeType, expect_id, owned_node_ids
from schema.owners import LoadedFacts
from schema.paging import (
    PAGE_SIZE_DEFAULT,
    After,
    Connection,
    First,
    connection,
    connection_of_columns,
    page_request,
)
from schema.scalars import SafeInt

# What the columns of a page's entries are called on a coupon.
_COLUMNS: Final = {f"entry.{name}": name for name in ("state", "code", "claimed_at", "valid_from", "valid_until")}


class CouponColumns:
    """The coupons of a page by column."""

    __slots__ = ("_entries",)

    def __init__(self, entries: EntryColumns) -> None:
        self._entries = entries

    def column(self, attribute: str) -> Sequence[object] | None:
        """What that attribute is of each coupon; None where it must be asked."""
        entries = self._entries
        if attribute == "id":
            return owned_node_ids(NodeType.Coupon, entries.ids, member_id=entries.member_id)
        if attribute == "entry.template_id.bytes":
            return entries.template_ids
        name = _COLUMNS.get(attribute)
        return None if name is None else entries.column(name)

    def nodes(self) -> list[Coupon]:
        """The coupons."""
        return Coupon.of_wallet(self._entries.member_id, self._entries)


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
    return None if asked is None else asked.made_once(_looked_at_in, *path)


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

    @strawberry.field(description="Its coupons.", graphql_type=Connection[Coupon])
    def coupons(
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        filter: Filter = None,
        order_by: Order = None,
    ) -> Later[Connection[Coupon]]:
        """A page of it: at once where it was read along with the member."""
        given, page = filter or CouponFilter(), page_request(first, after)
        query, ahead = _query(given, order=order_by), self.ahead
        if given.usable_for is None:
            if query.order is CouponOrder.BEST_VALUE:
                raise BadUserInput("orderBy BEST_VALUE needs filter.usableFor", path=["orderBy"])
            if ahead is not None and ahead.request == page and ahead.query == query:
                return self._connection(ahead.page)
        return self._read(info, given, query=query, page=page)

    async def _read(
        self, info: Info, given: CouponFilter, *, query: model.WalletQuery, page: PageRequest
    ) -> Connection[Coupon]:
        context = info.context
        if given.usable_for is not None:
            return self._connection(await _usable(context, self.member_id, given.usable_for, query=query, page=page))
        names = looked_at(asked_below(info))
        return self._connection(
            await context.reads.coupons.wallet_page(
                self.member_id, query=query, page=page, scope=context.scope, names=names
            )
        )

    def _connection(self, found: Page[model.Coupon] | Page[WalletEntry]) -> Connection[Coupon]:
        items = found.items
        if items.__class__ is EntryColumns:
            return connection_of_columns(found, CouponColumns(items))
        return connection(found, nodes=Coupon.of_wallet(self.member_id, items))

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
