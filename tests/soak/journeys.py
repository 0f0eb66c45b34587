"""A mixed load: coupons are claimed, issued, had for codes, held, redeemed, handed in, refunded and taken back, points
earned, spent and exchanged; each step waits for its answer.

Every member belongs to one client at a time, so that each step has one right answer, which is written down. Stock,
budgets and the merchant's stream are everybody's.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tests.soak.client import Client, GaveUp, new_key
from tests.soak.shop import (
    ADJUST,
    CHECK_IN,
    CLAIM,
    CODES,
    EXCHANGE,
    ISSUE,
    RECORD,
    REDEEM,
    REDEEM_CODE,
    REFUND,
    RELEASE,
    RESERVE,
    SYNC,
    VOID,
    Shop,
    ref,
)

MEMBERS_OF_ONE: Final = 20
# A load, not a flood: what is started again needs some of the processors too.
THINK_SECONDS: Final = 0.15
PRICE: Final = 30
# Longer than any run: what is held stays held.
HELD_SECONDS: Final = 86_400


@dataclass(slots=True)
class Book:
    """What was acknowledged. `keys` are the receipts that must be there; the rest is what they are receipts of."""

    keys: dict[str, str] = field(default_factory=dict)
    coupons: dict[Any, str] = field(default_factory=dict)
    redemptions: set[Any] = field(default_factory=set)
    orders: dict[str, str] = field(default_factory=dict)
    refunded: dict[str, Decimal] = field(default_factory=dict)
    entries: set[Any] = field(default_factory=set)
    adjusted: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    check_ins: int = 0
    # Answers that nobody expected, and writes that never got one.
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wares:
    """What there is to be had."""

    template: str
    mug: str
    voucher: str

    @staticmethod
    async def of(shop: Shop) -> "Wares":
        """Plenty of everything, of a campaign with a budget that everybody draws on, and tills that are trusted."""
        await shop.trust_tills()
        campaign = await shop.campaign(budget="90000000.00")
        template = await shop.template(stock=10_000_000, campaignId=campaign)
        return Wares(
            template,
            mug=await shop.reward(price=PRICE, stock=10_000_000),
            voucher=await shop.reward(price=PRICE, stock=10_000_000, template=template),
        )


class Stopped(Exception):
    """The load is to rest; a journey ends at its next step."""


class Customer:
    """One client of the load, that goes on one journey after the other."""

    def __init__(self, number: int, *, shop: Shop, wares: Wares, client: Client, book: Book, seed: int) -> None:
        self._number = number
        self._shop = shop
        self._wares = wares
        self._client = client
        self._book = book
        self._chance = random.Random(f"{seed} {number}")
        self._members: dict[str, str] = {}
        self._resting = asyncio.Event()

    def rest(self) -> None:
        """End after the step under way."""
        self._resting.set()

    async def run(self) -> None:
        """Journeys until told to rest; the first is another one for each customer, so that none is left out."""
        self._resting.clear()
        journeys, shares = zip(*JOURNEYS.items(), strict=True)
        journey = journeys[self._number % len(journeys)]
        while not self._resting.is_set():
            try:
                await journey(self)
            except Stopped:
                return
            except GaveUp as given_up:
                self._book.wrong.append(f"no answer for minutes: {str(given_up)[:60]}")
            (journey,) = self._chance.choices(journeys, weights=shares)

    async def _step(self, document: str, given: Mapping[str, Any], *, token: str) -> Mapping[str, Any] | None:
        """A write that is answered with success, or None where that is wrong and noted."""
        if self._resting.is_set():
            raise Stopped
        await asyncio.sleep(self._chance.uniform(0, THINK_SECONDS))
        key = new_key("journey")
        answer = await self._client.ask(document, {**given, "idempotencyKey": key}, token=token)
        if not answer.done:
            self._book.wrong.append(f"{answer.code} after {answer.attempts} attempts: {document[:60]} {given}")
            return None
        self._book.keys[key] = document
        return answer.data

    async def _member(self) -> tuple[str, str]:
        """A member of this client: token and id."""
        name = f"customer-{self._number}-{self._chance.randrange(MEMBERS_OF_ONE)}"
        if name not in self._members:
            self._members[name] = await self._shop.registered(name, client=self._client)
        return self._shop.member(name), self._members[name]

    # ── journeys ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def buy_with_a_coupon(self) -> None:
        """Claims, perhaps redeems at the till, and then perhaps keeps, returns or cancels what was bought."""
        token, member = await self._member()
        coupon = await self._claimed(token)
        if coupon is None or self._chance.random() < 0.3:
            return
        order = new_key("order")
        given = {
            "orderRef": order,
            "redemptionToken": self._shop.shown(coupon),
            "cart": self._cart(),
            "storeId": self._shop.store,
        }
        if await self._redeemed(given, coupon=coupon, token=self._shop.till):
            await self._afterwards(order, member=member, coupon=coupon, token=self._shop.till)

    async def order_with_a_coupon(self) -> None:
        """Claims, has the coupon held for an order, and pays it, gives it up or lets it be."""
        token, member = await self._member()
        coupon = await self._claimed(token)
        if coupon is None:
            return
        order = new_key("order")
        given = {"orderRef": order, "cart": self._cart(), "couponIds": [coupon], "ttlSeconds": HELD_SECONDS}
        reserved = await self._step(RESERVE, given, token=token)
        if reserved is None:
            return
        self._book.coupons[ref(coupon).id] = "RESERVED"
        reservation = reserved["reservation"]["id"]
        choice = self._chance.choice(("pay", "pay", "release", "keep"))
        if choice == "release":
            if await self._step(RELEASE, {"reservationId": reservation}, token=token) is not None:
                self._book.coupons[ref(coupon).id] = "CLAIMED"
        elif choice == "pay":
            paid = {"orderRef": order, "reservationId": reservation}
            if await self._redeemed(paid, coupon=coupon, token=self._shop.service):
                await self._afterwards(order, member=member, coupon=coupon, token=self._shop.service)

    async def hand_in_what_was_scanned(self) -> None:
        """A till had no network, scanned some coupons, and hands them in as one batch; the first order goes its way."""
        token, member = await self._member()
        claimed = [await self._claimed(token) for _ in range(self._chance.randint(1, 3))]
        coupons = {new_key("order"): coupon for coupon in claimed if coupon is not None}
        rows = [self._shop.scanned(coupon, order, cart=self._cart()) for order, coupon in coupons.items()]
        if not rows:
            return
        store = self._chance.choice((self._shop.store, self._shop.second_store))
        given = {"storeId": store, "redemptions": rows}
        synced = await self._step(SYNC, given, token=self._shop.till_in(store))
        if synced is None:
            return
        for outcome in synced["outcomes"]:
            if outcome["problem"] is not None:
                self._book.wrong.append(f"{outcome['problem']} for a row that was handed in")
                return
            self._book.coupons[ref(outcome["redemption"]["coupon"]["id"]).id] = "REDEEMED"
            self._book.redemptions.add(ref(outcome["redemption"]["id"]).id)
            self._book.orders[outcome["orderRef"]] = "PAID"
        order, coupon = next(iter(coupons.items()))
        await self._afterwards(order, member=member, coupon=coupon, token=self._shop.till)

    async def give_and_take_back(self) -> None:
        """An operator gives coupons to some members at once, and takes one of them back."""
        members = [(await self._member())[1] for _ in range(self._chance.randint(1, 4))]
        given = {"couponTemplateId": self._wares.template, "memberIds": members, "reason": "sorry"}
        issued = await self._step(ISSUE, given, token=self._shop.operator)
        if issued is None:
            return
        if any(outcome["problem"] is not None for outcome in issued["outcomes"]):
            self._book.wrong.append(f"not issued to everybody: {issued['outcomes']}")
            return
        coupons = [str(outcome["coupon"]["id"]) for outcome in issued["outcomes"]]
        for coupon in coupons:
            self._book.coupons[ref(coupon).id] = "CLAIMED"
        voided = {"couponId": coupons[0], "reason": "a mistake"}
        if await self._step(VOID, voided, token=self._shop.operator) is not None:
            self._book.coupons[ref(coupons[0]).id] = "VOIDED"

    async def use_a_code(self) -> None:
        """Codes are made, and a member redeems one of them."""
        token, _ = await self._member()
        brought = [new_key("CODE") for _ in range(2)]
        given = {"couponTemplateId": self._wares.template, "codes": brought}
        made = await self._step(CODES, given, token=self._shop.operator)
        if made is None:
            return
        self._book.codes |= set(made["codes"])
        redeemed = await self._step(REDEEM_CODE, {"code": brought[0]}, token=token)
        if redeemed is not None:
            self._book.coupons[ref(redeemed["coupon"]["id"]).id] = "CLAIMED"

    def _cart(self) -> Mapping[str, Any]:
        return self._shop.cart("40.00", quantity=3)

    async def _claimed(self, token: str) -> str | None:
        claimed = await self._step(CLAIM, {"couponTemplateId": self._wares.template}, token=token)
        if claimed is None:
            return None
        coupon = str(claimed["coupon"]["id"])
        self._book.coupons[ref(coupon).id] = "CLAIMED"
        return coupon

    async def _redeemed(self, given: Mapping[str, Any], *, coupon: str, token: str) -> bool:
        redeemed = await self._step(REDEEM, given, token=token)
        if redeemed is None:
            return False
        self._book.coupons[ref(coupon).id] = "REDEEMED"
        self._book.redemptions |= {ref(one["id"]).id for one in redeemed["redemptions"]}
        self._book.orders[given["orderRef"]] = "PAID"
        return True

    async def _afterwards(self, order: str, *, member: str, coupon: str, token: str) -> None:
        """What became of an order of three units with a coupon."""
        choice = self._chance.choice(("keep", "move", "move", "return one", "return all"))
        if choice == "move":
            if await self._perhaps_moved(order, member=member, token=token) == "CANCELLED":
                self._book.coupons[ref(coupon).id] = "CLAIMED"
        elif choice == "return one":
            await self._refunded(order, lines=[{"lineId": "1", "quantity": 1}], token=token)
        elif choice == "return all":
            one = await self._refunded(order, lines=[{"lineId": "1", "quantity": 1}], token=token)
            if one and await self._refunded(order, lines=None, token=token):
                self._book.coupons[ref(coupon).id] = "CLAIMED"

    async def _refunded(self, order: str, *, lines: Sequence[Mapping[str, Any]] | None, token: str) -> bool:
        refunded = await self._step(REFUND, {"orderRef": order, "lines": lines}, token=token)
        if refunded is None:
            return False
        self._book.refunded[order] = self._book.refunded.get(order, Decimal(0)) + Decimal(refunded["refund"]["amount"])
        return True

    async def buy_without(self) -> None:
        """An order without coupons, told of by the order system."""
        _, member = await self._member()
        order = new_key("order")
        given = {"orderRef": order, "memberId": member, "state": "PAID", "cart": self._shop.cart("59.90")}
        if await self._step(RECORD, given, token=self._shop.service) is None:
            return
        self._book.orders[order] = "PAID"
        await self._perhaps_moved(order, member=member, token=self._shop.service)

    async def _perhaps_moved(self, order: str, *, member: str, token: str) -> str:
        state = self._chance.choice(("PAID", "RECEIVED", "CANCELLED"))
        if state == "PAID":
            return state
        given = {"orderRef": order, "memberId": member, "state": state}
        if await self._step(RECORD, given, token=token) is None:
            return "PAID"
        self._book.orders[order] = state
        return state

    async def exchange_points(self) -> None:
        """Points come from an operator, and go for goods or a coupon."""
        token, member = await self._member()
        reason = new_key("thanks")
        given = {"memberId": member, "delta": PRICE, "reason": reason}
        adjusted = await self._step(ADJUST, given, token=self._shop.operator)
        if adjusted is None:
            return
        self._book.adjusted.add(reason)
        self._book.entries.add(ref(adjusted["transaction"]["id"]).id)
        reward = self._chance.choice((self._wares.mug, self._wares.voucher))
        exchanged = await self._step(EXCHANGE, {"rewardId": reward}, token=token)
        if exchanged is None:
            return
        self._book.entries.add(ref(exchanged["transaction"]["id"]).id)
        for coupon in exchanged["coupons"]:
            self._book.coupons[ref(coupon["id"]).id] = "CLAIMED"

    async def check_in(self) -> None:
        """Somebody new checks in."""
        name = new_key("visitor")
        if await self._step(CHECK_IN, {}, token=self._shop.member(name)) is not None:
            self._book.check_ins += 1


Journey = Callable[[Customer], Awaitable[None]]
JOURNEYS: Final[Mapping[Journey, int]] = {
    Customer.buy_with_a_coupon: 5,
    Customer.order_with_a_coupon: 4,
    Customer.hand_in_what_was_scanned: 2,
    Customer.give_and_take_back: 2,
    Customer.use_a_code: 2,
    Customer.buy_without: 2,
    Customer.exchange_points: 2,
    Customer.check_in: 1,
}


@dataclass(slots=True)
class Load:
    """All customers together."""

    customers: Sequence[Customer]
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def begin(self) -> None:
        """Everybody goes."""
        self._tasks = [asyncio.create_task(customer.run()) for customer in self.customers]

    async def rest(self) -> None:
        """Everybody finishes what is under way: afterwards nothing is that was not answered."""
        for customer in self.customers:
            customer.rest()
        await asyncio.gather(*self._tasks)
