"""The races over orders: what is held runs out, is paid, released and refunded at the same moments."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from tests.soak.arena import Arena
from tests.soak.client import Answer, Client, new_key
from tests.soak.races import (
    DISCOUNT_MINOR,
    Ask,
    Held,
    Race,
    Size,
    budget,
    claimed,
    flash_sale,
    limit_per_member,
    redeem,
    two_tills,
)
from tests.soak.report import Tally
from tests.soak.same_key import same_key
from tests.soak.shop import RECORD, REDEEM, REFUND, RELEASE, RESERVE, ref

# A reservation lives for ten seconds at least: these are made to end sooner, around the moment of the race.
_ENDS_SOON: Final = """WITH soon AS (UPDATE reservations SET expires_at = clock_timestamp() + interval '60 ms'
    WHERE (member_id, id) = ($1, $2) RETURNING member_id, id, expires_at)
    UPDATE coupons SET reserved_until = expires_at FROM soon
    WHERE (coupons.member_id, coupons.reservation_id) = (soon.member_id, soon.id)"""
_LIVE: Final = """SELECT order_ref FROM redemptions
    WHERE (member_id, coupon_id) = ($1, $2) AND reversed_at IS NULL"""
_STATE: Final = "SELECT state FROM coupons WHERE (member_id, id) = ($1, $2)"


async def reserve_against_expiry(arena: Arena, size: Size) -> Tally:
    """A reservation runs out at the moment in which it is paid, and its coupon is shown for another order."""
    tally = Tally("reserve against expiry")
    template = await arena.shop.template(stock=100_000)
    chance = random.Random(11)
    for held in await claimed(arena, template, count=size.reserve_rounds):
        first, second = new_key("reserved"), new_key("other")
        reserved = await _reserve(arena, held, first)(arena.clients[0])
        assert reserved.done, reserved.data
        reservation = str(reserved.data["reservation"]["id"])
        await arena.database.pool.execute(_ENDS_SOON, ref(reservation).owner, ref(reservation).id)
        paid = _pay(arena, reservation, first, after=chance.uniform(0.03, 0.09))
        shown = redeem(arena, held, second, after=chance.uniform(0.03, 0.09))
        answers = await arena.at_once([paid, shown])
        _count(tally, answers)
        won = [order for order, answer in zip((first, second), answers, strict=True) if answer.done]
        live = [row["order_ref"] for row in await arena.rows(_LIVE, *held.ids)]
        state = await arena.value(_STATE, *held.ids)
        tally.verify(
            f"{[answer.code for answer in answers]}, used for {live}, and {state}",
            holds=live == won and len(won) == 1 and state == "REDEEMED",
            answers=2,
        )
    await arena.sums_agree(tally)
    return tally


async def two_orders(arena: Arena, size: Size) -> Tally:
    """One coupon is reserved for two orders at the same moment; whoever holds it gives it up or pays."""
    tally = Tally("one coupon for two orders")
    template = await arena.shop.template(stock=100_000)
    for number, held in enumerate(await claimed(arena, template, count=size.reserve_rounds)):
        orders = [new_key("order") for _ in range(2)]
        answers = await arena.at_once([_reserve(arena, held, order) for order in orders])
        _count(tally, answers)
        won = [answer for answer in answers if answer.done]
        state = await arena.value(_STATE, *held.ids)
        tally.verify(
            f"{[answer.code for answer in answers]}, and {state}",
            holds=len(won) == 1 and state == "RESERVED",
            answers=2,
        )
        if not won:
            continue
        reservation = str(won[0].data["reservation"]["id"])
        order = orders[answers.index(won[0])]
        # Paid and given up at the same moment: one of the two.
        ends = [_pay(arena, reservation, order), _release(arena, reservation)]
        last = await arena.at_once(ends if number % 2 else ends[::-1])
        paid, released = last if number % 2 else last[::-1]
        tally.count(paid.code)
        tally.count(released.code)
        state = await arena.value(_STATE, *held.ids)
        # One that was given up can still be paid late, while nobody took its coupon.
        wanted = "REDEEMED" if paid.done else "CLAIMED"
        tally.verify(
            f"paid: {paid.code}, released: {released.code}, and {state}",
            holds=state == wanted and (paid.done or released.done),
            answers=2,
        )
    await arena.sums_agree(tally)
    return tally


async def cancel_against_redeem(arena: Arena, size: Size) -> Tally:
    """An order is cancelled, which gives its coupon back, while the same coupon is shown for another order."""
    tally, chance = Tally("cancel against redeem"), random.Random(7)
    template = await arena.shop.template(stock=100_000)
    for held in await claimed(arena, template, count=size.cancel_rounds):
        order = new_key("first")
        cancel = _recorded(arena, order, state="CANCELLED", member=held, after=chance.uniform(0, 0.01))
        await _undone_against_redeem(arena, tally, held, order=order, undo=cancel, chance=chance)
    await arena.sums_agree(tally)
    return tally


async def refund_against_redeem(arena: Arena, size: Size) -> Tally:
    """An order is refunded in full, which gives its coupon back, while the coupon is shown for another order."""
    tally, chance = Tally("refund against redeem"), random.Random(13)
    template = await arena.shop.template(stock=100_000)
    for held in await claimed(arena, template, count=size.refund_rounds):
        order = new_key("first")
        refund = _refund(arena, order, after=chance.uniform(0, 0.01))
        undone = await _undone_against_redeem(arena, tally, held, order=order, undo=refund, chance=chance)
        back = undone.data.get("refund", {}).get("amount")
        tally.expect(f"{back} refunded", holds=back == "100.00")
    await arena.sums_agree(tally)
    return tally


async def _undone_against_redeem(
    arena: Arena, tally: Tally, held: Held, *, order: str, undo: Ask, chance: random.Random
) -> Answer:
    """The coupon is used for an order, which is undone while it is shown for another; how the undoing was answered."""
    second = new_key("second")
    redeemed = await redeem(arena, held, order)(arena.clients[0])
    assert redeemed.done, redeemed.data
    answers = await arena.at_once([undo, redeem(arena, held, second, after=chance.uniform(0, 0.01))])
    _count(tally, answers)
    live = [row["order_ref"] for row in await arena.rows(_LIVE, *held.ids)]
    state = await arena.value(_STATE, *held.ids)
    wanted = ("REDEEMED", [second]) if answers[1].done else ("CLAIMED", [])
    tally.verify(
        f"{[answer.code for answer in answers]}, used for {live}, and the coupon is {state}",
        holds=answers[0].done and (state, live) == wanted,
        answers=2,
    )
    return answers[0]


async def refunds_at_once(arena: Arena, size: Size) -> Tally:
    """Three units were paid, and five refunds of one unit come at once: three are served, to the last fen."""
    tally = Tally("five refunds of three units at once")
    template = await arena.shop.template(stock=100_000)
    cart = {"currencyCode": "CNY", "lines": [arena.shop.line("1", "33.35", quantity=3)]}
    cart["lines"].append(arena.shop.line("2", "11.11"))  # type: ignore[attr-defined]
    for held in await claimed(arena, template, count=size.refund_rounds // 2 + 1):
        order = new_key("refunded")
        redeemed = await redeem(arena, held, order, cart=cart)(arena.clients[0])
        assert redeemed.done, redeemed.data
        answers = await arena.at_once([_refund(arena, order, lines=[{"lineId": "1", "quantity": 1}])] * 5)
        _count(tally, answers)
        rest = await _refund(arena, order)(arena.clients[0])
        _count(tally, [rest], rounds=0)
        back = sum(Decimal(answer.data["refund"]["amount"]) for answer in (*answers, rest) if answer.done)
        paid = Decimal(redeemed.data["quote"]["payable"]["amount"])
        refused = {answer.code for answer in answers if not answer.done}
        tally.verify(
            f"{[answer.code for answer in answers]}: {back} of {paid} came back",
            holds=sum(answer.done for answer in answers) == 3 and refused == {"REFUND_EXCEEDS_ORDER"} and back == paid,
            answers=6,
        )
    await arena.sums_agree(tally)
    return tally


async def budget_held(arena: Arena, size: Size) -> Tally:
    """The same budget, half of it asked for by reservations: what is held counts as spent."""
    tally = Tally(f"budget for {size.budget_covers}, {size.budget_redemptions:,} held or redeemed")
    amount = f"{size.budget_covers * DISCOUNT_MINOR / 100:.2f}"
    campaign = await arena.shop.campaign(budget=amount)
    template = await arena.shop.template(stock=100_000, campaignId=campaign)
    coupons = await claimed(arena, template, count=size.budget_redemptions)
    asked = [
        (_reserve if number % 2 else redeem)(arena, one, new_key("held-order")) for number, one in enumerate(coupons)
    ]
    answers = await arena.at_once(asked)
    _count(tally, answers)
    for number, (one, answer) in enumerate(zip(coupons, answers, strict=True)):
        state = await arena.value(_STATE, *one.ids)
        wanted = ("RESERVED" if number % 2 else "REDEEMED") if answer.done else "CLAIMED"
        expected = answer.done or answer.code == "BUDGET_EXHAUSTED"
        tally.verify(f"{answer.code}, and the coupon is {state}", holds=expected and state == wanted)
    tally.expect(
        f"{tally.acknowledged} of {size.budget_covers} were covered", holds=tally.acknowledged == size.budget_covers
    )
    await arena.sums_agree(tally)
    return tally


def _count(tally: Tally, answers: Sequence[Answer], *, rounds: int = 1) -> None:
    tally.rounds += rounds
    for answer in answers:
        tally.count(answer.code)


def _reserve(arena: Arena, held: Held, order: str) -> Ask:
    given = {"orderRef": order, "cart": arena.shop.cart(), "couponIds": [held.id]}
    return _asking(RESERVE, given, token=arena.shop.service)


def _release(arena: Arena, reservation: str) -> Ask:
    return _asking(RELEASE, {"reservationId": reservation}, token=arena.shop.service)


def _pay(arena: Arena, reservation: str, order: str, *, after: float = 0.0) -> Ask:
    return _asking(REDEEM, {"orderRef": order, "reservationId": reservation}, token=arena.shop.service, after=after)


def _refund(arena: Arena, order: str, *, lines: Sequence[Mapping[str, Any]] | None = None, after: float = 0.0) -> Ask:
    return _asking(REFUND, {"orderRef": order, "lines": lines}, token=arena.shop.till, after=after)


def _recorded(arena: Arena, order: str, *, state: str, member: Held, after: float) -> Ask:
    given = {"orderRef": order, "memberId": member.member, "state": state}
    return _asking(RECORD, given, token=arena.shop.till, after=after)


def _asking(document: str, given: Mapping[str, Any], *, token: str, after: float = 0.0) -> Ask:
    async def ask(client: Client) -> Answer:
        await asyncio.sleep(after)
        return await client.ask(document, {**given, "idempotencyKey": new_key("ask")}, token=token)

    return ask


RACES: Final[Sequence[Race]] = (
    flash_sale,
    limit_per_member,
    two_tills,
    two_orders,
    reserve_against_expiry,
    cancel_against_redeem,
    refund_against_redeem,
    refunds_at_once,
    budget,
    budget_held,
    same_key,
)
