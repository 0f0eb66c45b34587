"""A household's year as a member's: its orders, coupons and points."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from app.demo.offers import HistoricOffer, History
from app.demo.people import person
from app.demo.points import PaidOrder, PointsRules, PointsYear
from app.demo.shops import Shop, shop_of
from app.demo.source import Household, SourceProduct
from app.demo.used import Basket, Use, baskets_of, uses_of
from app.demo.when import Shift, at_hour, digest, identity
from domain.coupons.model import WalletChange, code_of
from domain.coupons.offer import CouponState, Funder
from domain.orders.model import ORDER_SYSTEM, OrderState
from domain.shared.events import WALLET
from domain.shared.ids import CouponId, MemberId
from domain.shared.time import local_date
from persistence.crypto import PersonalData
from persistence.demo.rows import (
    CouponRow,
    DirectoryRow,
    EventRow,
    MemberRow,
    MemberRows,
    OrderLineRow,
    OrderRow,
    RedemptionRow,
    StreamRow,
)
from persistence.members.people import sealed_person

UNUSED_PER_CAMPAIGN: Final = 3
"""How many coupons of a campaign a household claims besides those that it used; invented."""

_NINE: Final = 9 * 3600
_TWELVE_HOURS: Final = 12 * 3600
_NO_FACTS: Final = "{}"


@dataclass(frozen=True, slots=True)
class World:
    """What the households share."""

    history: History
    products: Mapping[int, SourceProduct]
    personal_data: PersonalData
    rules: PointsRules
    currency: str

    @property
    def shift(self) -> Shift:
        """How far the year is moved."""
        return self.rules.shift


@dataclass(frozen=True, slots=True)
class Slice:
    """Some members, and what they took from the stocks of templates and rewards."""

    rows: MemberRows = field(default_factory=MemberRows.none)
    claimed: Counter[UUID] = field(default_factory=Counter)
    exchanged: Counter[UUID] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Goods:
    product_ref: str
    category_refs: tuple[str, ...]
    shop: Shop
    merchant_id: UUID


class Households:
    """Maps households, one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._goods: dict[int, _Goods] = {}
        self._stores: dict[tuple[str, int], UUID] = {}

    def add(self, household: Household, *, to: Slice) -> None:
        """Adds all rows of a household to a slice."""
        world = self._world
        who = person(household.number, age=household.age, shift=world.shift)
        member_id = MemberId(identity(who.joined_at, "member", household.number))
        sealed = sealed_person(
            member_id,
            display_name=who.display_name,
            phone=who.phone,
            birthday=who.birthday,
            personal_data=world.personal_data,
        )
        to.rows.members.append(
            MemberRow(
                member_id,
                who.external_ref,
                sealed["display_name"],
                sealed["phone"],
                sealed["phone_index"],
                sealed["birthday"],
                who.locale,
                who.joined_at,
            )
        )
        baskets = baskets_of(household.lines)
        uses = uses_of(household.redemptions, baskets=baskets, offers=world.history.offers)
        orders = [self._order(basket, member_id=member_id) for basket in baskets]
        self._write_lines(orders, uses=uses, to=to.rows)
        year = PointsYear(member_id, household=household.number, joined_at=who.joined_at, rules=world.rules)
        earned = year.run(PaidOrder(o.id, o.ref, o.paid_at, sum(line.paid for line in o.basket.lines)) for o in orders)
        self._write_orders(orders, uses=uses, earned=earned, to=to.rows)
        exchanged = year.write(to.rows)
        if exchanged:
            to.exchanged[world.rules.bag_id] += exchanged
        _Wallet(world, household=household, member_id=member_id, orders=orders).write(uses, to=to)

    def _order(self, basket: Basket, *, member_id: UUID) -> "Order":
        paid_at = self._world.shift.instant(basket.bought_at)
        dearest = max(basket.lines, key=lambda line: line.paid)
        shop = self.goods(dearest.product).shop
        order_id = identity(paid_at, "order", basket.number)
        store_id = self._stores.get((shop.code, basket.store))
        if store_id is None:
            store_id = self._stores[shop.code, basket.store] = shop.store_id(basket.store)
        return Order(order_id, str(basket.number), member_id, paid_at, shop.id, store_id, basket)

    def goods(self, product: int) -> "_Goods":
        """What is sold as this product, and by whom; looked up once."""
        known = self._goods.get(product)
        if known is None:
            source = self._world.products.get(product)
            refs = () if source is None else (source.department, source.category)
            shop = shop_of(source and source.department)
            known = _Goods(str(product), tuple(ref for ref in refs if ref), shop, shop.id)
            self._goods[product] = known
        return known

    def _write_lines(self, orders: Sequence["Order"], *, uses: Sequence[Use], to: MemberRows) -> None:
        off: Counter[tuple[int, int]] = Counter()
        for use in uses:
            for part in use.parts:
                off[use.basket.number, part.line] += part.discount_minor
        write, goods_of = to.order_lines.append, self._goods
        for order in orders:
            for index, line in enumerate(order.basket.lines):
                goods = goods_of.get(line.product) or self.goods(line.product)
                discount = off[order.basket.number, index] if off else 0
                subtotal = line.paid + discount
                # A weight, or a price that does not divide, is one piece at its price.
                whole = line.quantity > 0 and subtotal % line.quantity == 0
                quantity = line.quantity if whole else 1
                position = index + 1
                write(
                    OrderLineRow(
                        order.member_id,
                        order.id,
                        position,
                        str(position),
                        goods.product_ref,
                        goods.merchant_id,
                        goods.category_refs,
                        quantity,
                        subtotal // quantity,
                        subtotal,
                        discount,
                        line.paid,
                    )
                )

    def _write_orders(
        self, orders: Sequence["Order"], *, uses: Sequence[Use], earned: Mapping[UUID, int], to: MemberRows
    ) -> None:
        off: Counter[int] = Counter()
        for use in uses:
            off[use.basket.number] += sum(part.discount_minor for part in use.parts)
        for order in orders:
            paid = sum(line.paid for line in order.basket.lines)
            discount = off[order.basket.number]
            to.orders.append(
                OrderRow(
                    member_id=order.member_id,
                    id=order.id,
                    source_id=ORDER_SYSTEM,
                    order_ref=order.ref,
                    state=OrderState.RECEIVED.value,
                    store_id=order.store_id,
                    currency=self._world.currency,
                    subtotal_minor=paid + discount,
                    discount_minor=discount,
                    shipping_minor=0,
                    paid_minor=paid,
                    points_pending=0,
                    points_earned=earned[order.id],
                    paid_at=order.paid_at,
                    received_at=order.paid_at,
                )
            )
            to.directory.append(DirectoryRow(ORDER_SYSTEM, order.ref, order.member_id, order.id))


@dataclass(frozen=True, slots=True)
class Order:
    """A basket as an order."""

    id: UUID
    ref: str
    member_id: UUID
    paid_at: datetime
    merchant_id: UUID
    store_id: UUID
    basket: Basket


class _Wallet:
    """A member's coupons: those that it used, a few that it did not, and what happened to each."""

    def __init__(self, world: World, *, household: Household, member_id: UUID, orders: Sequence[Order]) -> None:
        self._world = world
        self._household = household
        self._member_id = member_id
        self._orders = {order.basket.number: order for order in orders}
        self._happened: list[tuple[datetime, int, WalletChange, UUID]] = []

    def write(self, uses: Sequence[Use], *, to: Slice) -> None:
        """Adds coupons, redemptions and the wallet's events."""
        used: dict[int, list[Use]] = {}
        for use in sorted(uses, key=lambda use: (use.basket.bought_at, use.basket.number, use.offer.upc)):
            used.setdefault(use.offer.campaign, []).append(use)
        for campaign in self._household.campaigns:
            of_campaign = used.get(campaign, [])
            ordinals: Counter[int] = Counter()
            for place, use in enumerate(of_campaign):
                ordinals[use.offer.upc] += 1
                coupon = self._claim(use.offer, place=place, ordinal=ordinals[use.offer.upc], use=use, to=to)
                self._redeem(use, coupon=coupon, to=to)
            unused = self._unused(campaign, used=ordinals)
            for place, offer in enumerate(unused, start=len(of_campaign)):
                self._claim(offer, place=place, ordinal=1, use=None, to=to)
        self._write_events(to.rows)

    def _unused(self, campaign: int, *, used: Counter[int]) -> list[HistoricOffer]:
        offers = [o for o in self._world.history.of_campaign[campaign] if not used[o.upc]]
        if not offers:
            return []
        first = digest("claimed", self._household.number, campaign)
        count = min(UNUSED_PER_CAMPAIGN, len(offers))
        return [offers[(first + place) % len(offers)] for place in range(count)]

    def _claim(self, offer: HistoricOffer, *, place: int, ordinal: int, use: Use | None, to: Slice) -> CouponRow:
        claimed_at = self._claimed_at(offer, place=place, use=use)
        coupon_id = identity(claimed_at, "coupon", self._household.number, offer.campaign, offer.upc, ordinal)
        self._note(claimed_at, change=WalletChange.CLAIMED, coupon_id=coupon_id)
        state = CouponState.REDEEMED if use else CouponState.CLAIMED
        if use is None and offer.closes_at <= self._world.rules.now:
            state = CouponState.EXPIRED
            self._note(offer.closes_at, change=WalletChange.EXPIRED, coupon_id=coupon_id)
        coupon = CouponRow(
            member_id=self._member_id,
            id=coupon_id,
            template_id=offer.template.id,
            merchant_id=None,
            ordinal=ordinal,
            code=code_of(CouponId(coupon_id)),
            state=state.value,
            kind=offer.template.kind,
            terms=offer.terms,
            claimed_at=claimed_at,
            claimed_on=local_date(claimed_at, zone=self._world.rules.zone),
            valid_from=offer.opens_at,
            valid_until=offer.closes_at,
        )
        to.rows.coupons.append(coupon)
        to.claimed[offer.template.id] += 1
        return coupon

    def _claimed_at(self, offer: HistoricOffer, *, place: int, use: Use | None) -> datetime:
        """On the campaign's first day, and before the coupon was used."""
        drawn = digest("claimed at", self._household.number, offer.campaign)
        day = self._world.shift.day(offer.first_day)
        at = at_hour(day, seconds=_NINE + drawn % _TWELVE_HOURS + place, zone=self._world.rules.zone)
        if use is None:
            return at
        used_at = self._orders[use.basket.number].paid_at
        return at if at < used_at else offer.opens_at + (used_at - offer.opens_at) / 2 + timedelta(microseconds=place)

    def _redeem(self, use: Use, *, coupon: CouponRow, to: Slice) -> None:
        order = self._orders[use.basket.number]
        platform = sum(part.platform_minor for part in use.parts)
        merchant = sum(part.merchant_minor for part in use.parts)
        shares = {Funder.PLATFORM.value: platform, Funder.MERCHANT.value: merchant}
        self._note(order.paid_at, change=WalletChange.REDEEMED, coupon_id=coupon.id)
        to.rows.redemptions.append(
            RedemptionRow(
                member_id=self._member_id,
                id=identity(order.paid_at, "redemption", coupon.id),
                coupon_id=coupon.id,
                template_id=coupon.template_id,
                campaign_id=use.offer.template.campaign_id,
                merchant_id=order.merchant_id,
                store_id=order.store_id,
                order_id=order.id,
                order_ref=order.ref,
                currency=self._world.currency,
                discount_minor=platform + merchant,
                shares=orjson.dumps(shares).decode(),
                redeemed_at=order.paid_at,
            )
        )

    def _note(self, at: datetime, *, change: WalletChange, coupon_id: UUID) -> None:
        self._happened.append((at, len(self._happened), change, coupon_id))

    def _write_events(self, to: MemberRows) -> None:
        member_id = self._member_id
        for sequence, (at, _, change, coupon_id) in enumerate(sorted(self._happened), start=1):
            to.events.append(EventRow(member_id, WALLET, sequence, change.value, coupon_id, _NO_FACTS, at, at))
        if self._happened:
            to.streams.append(StreamRow(member_id, WALLET, len(self._happened)))
