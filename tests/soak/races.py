"""The races: what members, tills and the order system do at the same moment, and what must be true afterwards.

Each plays its rounds on an arena; every answer that was given is looked for in the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.soak.arena import Arena
from tests.soak.client import Answer, Client, new_key
from tests.soak.report import Tally
from tests.soak.shop import CLAIM, REDEEM, ref

DISCOUNT_MINOR: Final = 2000


@dataclass(frozen=True, slots=True)
class Size:
    """How large the races are: CI plays them short, `make soak` in full."""

    flash_rounds: int = 20
    flash_claims: int = 2000
    flash_members: int = 200
    limit_members: int = 40
    till_rounds: int = 100
    cancel_rounds: int = 100
    reserve_rounds: int = 50
    refund_rounds: int = 100
    budget_covers: int = 100
    budget_redemptions: int = 1000
    same_key: int = 100


@dataclass(frozen=True, slots=True)
class Held:
    """A coupon that a member was given."""

    id: str
    member: str

    @property
    def ids(self) -> tuple[Any, Any]:
        """Member and coupon, as they are stored."""
        named = ref(self.id)
        return named.owner, named.id


Race = Callable[[Arena, Size], Awaitable[Tally]]


async def flash_sale(arena: Arena, size: Size) -> Tally:
    """Stock 100, 2,000 claims by 200 clients at once, three for each member at most; again and again."""
    tally = Tally("stock 100, 2,000 claims by 200 clients" if size.flash_claims == 2000 else "a sale, in short")
    members = [arena.shop.member(f"flash-{number}") for number in range(size.flash_members)]
    stock, limit = size.flash_claims // 20, 3
    for _ in range(size.flash_rounds):
        template = await arena.shop.template(stock=stock, limitPerMember=limit)
        claims = [claim(template, members[number % len(members)]) for number in range(size.flash_claims)]
        answers = await arena.at_once(claims)
        tally.rounds += 1
        await _claims_are_true(arena, tally, answers, template=template, stock=stock, limit=limit)
    await arena.sums_agree(tally)
    return tally


async def _claims_are_true(
    arena: Arena, tally: Tally, answers: Sequence[Answer], *, template: str, stock: int, limit: int
) -> None:
    template_id = ref(template).id
    rows = await arena.rows("SELECT member_id, id, code, state FROM coupons WHERE template_id = $1", template_id)
    stored = {row["id"]: (row["code"], row["state"]) for row in rows}
    held: dict[Any, int] = {}
    for row in rows:
        held[row["member_id"]] = held.get(row["member_id"], 0) + 1
    remaining = await arena.value("SELECT remaining FROM coupon_template_stock WHERE template_id = $1", template_id)
    promised = 0
    for answer in answers:
        tally.count(answer.code)
        if answer.done:
            coupon = answer.data["coupon"]
            promised += 1
            tally.verify(
                f"{coupon} is not there", holds=stored.get(ref(coupon["id"]).id) == (coupon["code"], coupon["state"])
            )
        elif answer.code == "SOLD_OUT":
            tally.verify(f"SOLD_OUT, and {remaining} remain", holds=remaining == 0)
        else:
            tally.verify(f"{answer.code}, which nobody had reason to say", holds=answer.code == "CLAIM_LIMIT_REACHED")
    tally.expect(f"{promised} promised, {len(rows)} given", holds=promised == len(rows))
    tally.expect(f"{len(rows)} given and {remaining} left of {stock}", holds=len(rows) + remaining == stock)
    tally.expect(
        f"a member has {max(held.values(), default=0)} of {limit}", holds=max(held.values(), default=0) <= limit
    )


async def limit_per_member(arena: Arena, size: Size) -> Tally:
    """Each member claims 50 times at once what may be had three times."""
    tally = Tally("limit 3 per member, 50 claims at once")
    for number in range(size.limit_members):
        template = await arena.shop.template(stock=1000, limitPerMember=3)
        token = arena.shop.member(new_key("greedy"))
        answers = await arena.at_once([claim(template, token)] * 50)
        tally.rounds += 1
        for answer in answers:
            tally.count(answer.code)
        rows = await arena.rows("SELECT id, ordinal FROM coupons WHERE template_id = $1", ref(template).id)
        given = {ref(answer.data["coupon"]["id"]).id for answer in answers if answer.done}
        ordinals = sorted(row["ordinal"] for row in rows)
        tally.verify(
            f"member {number} was promised {len(given)} and has {ordinals}",
            holds=ordinals == [1, 2, 3] and {row["id"] for row in rows} == given,
            answers=len(answers),
        )
    await arena.sums_agree(tally)
    return tally


async def two_tills(arena: Arena, size: Size) -> Tally:
    """One coupon is shown at the tills of two stores at the same moment, for two orders; now and then as one token."""
    tally = Tally("one coupon at the tills of two stores")
    template, shop = await arena.shop.template(stock=100_000), arena.shop
    for number, held in enumerate(await claimed(arena, template, count=size.till_rounds)):
        orders = [new_key("till-order") for _ in range(2)]
        shown = shop.shown(held.id)
        asked = []
        for order, store in zip(orders, (shop.store, shop.second_store), strict=True):
            scanned = shown if number % 2 else shop.shown(held.id)
            asked.append(redeem(arena, held, order, by=shop.till_in(store), storeId=store, redemptionToken=scanned))
        answers = await arena.at_once(asked)
        tally.rounds += 1
        for answer in answers:
            tally.count(answer.code)
        rows = await arena.rows("SELECT order_ref FROM redemptions WHERE (member_id, coupon_id) = ($1, $2)", *held.ids)
        won = [order for order, answer in zip(orders, answers, strict=True) if answer.done]
        tally.verify(
            f"{[answer.code for answer in answers]}, and used for {len(rows)} orders",
            holds=[row["order_ref"] for row in rows] == won and len(won) == 1,
            answers=2,
        )
    await arena.sums_agree(tally)
    return tally


async def budget(arena: Arena, size: Size) -> Tally:
    """A budget for 100 redemptions, and 1,000 at once."""
    tally = Tally(f"budget for {size.budget_covers}, {size.budget_redemptions:,} redemptions")
    amount = f"{size.budget_covers * DISCOUNT_MINOR / 100:.2f}"
    campaign = await arena.shop.campaign(budget=amount)
    template = await arena.shop.template(stock=100_000, campaignId=campaign)
    held = await claimed(arena, template, count=size.budget_redemptions)
    answers = await arena.at_once([redeem(arena, one, new_key("budget-order")) for one in held])
    tally.rounds += 1
    live = "SELECT coupon_id, discount_minor FROM redemptions WHERE campaign_id = $1 AND reversed_at IS NULL"
    stored = {row["coupon_id"]: row["discount_minor"] for row in await arena.rows(live, ref(campaign).id)}
    for one, answer in zip(held, answers, strict=True):
        tally.count(answer.code)
        known = one.ids[1] in stored
        expected = known if answer.done else not known and answer.code == "BUDGET_EXHAUSTED"
        tally.verify(f"{answer.code} for a coupon that is {'' if known else 'not '}used", holds=expected)
    # That the budget's own figure is the sum of its redemptions is an invariant.
    tally.expect(
        f"{len(stored)} redeemed for {sum(stored.values())}, and {size.budget_covers} were covered",
        holds=tally.acknowledged == len(stored) == size.budget_covers
        and sum(stored.values()) == size.budget_covers * DISCOUNT_MINOR,
    )
    await arena.sums_agree(tally)
    return tally


Ask = Callable[[Client], Coroutine[Any, Any, Answer]]


def claim(template: str, token: str) -> Ask:
    """Claims, each time under a new key."""
    given = {"couponTemplateId": template}

    async def ask(client: Client) -> Answer:
        return await client.ask(CLAIM, {**given, "idempotencyKey": new_key("claim")}, token=token)

    return ask


def redemption(arena: Arena, held: Held, order: str) -> dict[str, Any]:
    """A coupon shown at the till, for a cart of 120.00."""
    return {
        "orderRef": order,
        "redemptionToken": arena.shop.shown(held.id),
        "cart": arena.shop.cart(),
        "storeId": arena.shop.store,
    }


def redeem(arena: Arena, held: Held, order: str, *, after: float = 0.0, by: str | None = None, **changed: Any) -> Ask:
    """Redeems at the till."""

    async def ask(client: Client) -> Answer:
        await asyncio.sleep(after)
        given = redemption(arena, held, order) | {"idempotencyKey": new_key("redeem")} | changed
        return await client.ask(REDEEM, given, token=by or arena.shop.till)

    return ask


async def claimed(arena: Arena, template: str, *, count: int) -> list[Held]:
    """So many coupons, of a member each."""
    names = [new_key("holder") for _ in range(count)]
    answers = await arena.at_once([claim(template, arena.shop.member(name)) for name in names])
    assert all(answer.done for answer in answers), [answer.data for answer in answers if not answer.done][:3]
    return [Held(coupon, arena.shop.owner(coupon)) for answer in answers for coupon in [answer.data["coupon"]["id"]]]
