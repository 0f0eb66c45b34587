"""Every write of the schema, sent a hundred times at once under one key: one effect, and one answer for all."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.soak.arena import Arena
from tests.soak.client import Answer, Client, new_key
from tests.soak.races import Size
from tests.soak.report import Tally
from tests.soak.shop import (
    ADJUST,
    CHECK_IN,
    CLAIM,
    CLOSE,
    CODES,
    EXCHANGE,
    ISSUE,
    LIMIT_OFFLINE,
    OPEN,
    RECORD,
    REDEEM,
    REDEEM_CODE,
    REFUND,
    RELEASE,
    RESERVE,
    SYNC,
    VOID,
    Shop,
    mutation,
    ref,
)

PRICE: Final = 50


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was prepared: what is sent by whom, and the query that counts what it did: once.

    `shared`: who comes at the same moment takes part in the work, so that several may be the first.
    """

    document: str
    given: Mapping[str, Any]
    token: str
    counts: str
    place: tuple[Any, ...]
    effects: int = 1
    shared: bool = False


Prepare = Callable[[Shop], Awaitable[Write]]

# ── what members do ─────────────────────────────────────────────────────────────────────────────────────────────────

_COUPONS: Final = "SELECT count(*) FROM coupons WHERE member_id = $1"
_IN_STATE: Final = """SELECT count(*) FROM coupons JOIN events ON (owner_id, subject_id) = (member_id, id)
    WHERE (member_id, id, state) = ($1, $2, $3) AND events.kind = $4"""


async def _member(shop: Shop) -> tuple[str, str]:
    """Somebody new: token and id."""
    name = new_key("impatient")
    return shop.member(name), await shop.registered(name)


async def _claimed(shop: Shop) -> tuple[str, str]:
    """Somebody with a coupon: token and the coupon's id."""
    token, _ = await _member(shop)
    claimed = await shop.ask(CLAIM, {"couponTemplateId": await shop.template(stock=10)}, token=token)
    return token, str(claimed["coupon"]["id"])


async def _reserved(shop: Shop) -> tuple[str, str, str]:
    """A coupon, the reservation that holds it, and its order."""
    token, coupon = await _claimed(shop)
    order = new_key("order")
    given = {"orderRef": order, "cart": shop.cart(), "couponIds": [coupon]}
    reserved = await shop.ask(RESERVE, given, token=token)
    return coupon, str(reserved["reservation"]["id"]), order


async def _claim(shop: Shop) -> Write:
    token, member = await _member(shop)
    given = {"couponTemplateId": await shop.template(stock=1000, limitPerMember=None)}
    return Write(CLAIM, given, token, _COUPONS, (ref(member).id,))


async def _redeem_code(shop: Shop) -> Write:
    token, member = await _member(shop)
    code = await shop.code(await shop.template(stock=1000))
    return Write(REDEEM_CODE, {"code": code}, token, _COUPONS, (ref(member).id,))


async def _exchange(shop: Shop) -> Write:
    """Points for one: whoever comes second is refused after it has issued its coupon."""
    token, member = await _member(shop)
    voucher = await shop.reward(price=PRICE, stock=1000, template=await shop.template(stock=1000))
    await shop.ask(ADJUST, {"memberId": member, "delta": PRICE, "reason": "thanks"}, token=shop.operator)
    return Write(EXCHANGE, {"rewardId": voucher}, token, _COUPONS, (ref(member).id,))


async def _check_in(shop: Shop) -> Write:
    token, member = await _member(shop)
    return Write(CHECK_IN, {}, token, "SELECT count(*) FROM check_ins WHERE member_id = $1", (ref(member).id,))


async def _reserve(shop: Shop) -> Write:
    token, coupon = await _claimed(shop)
    given = {"orderRef": new_key("order"), "cart": shop.cart(), "couponIds": [coupon]}
    return Write(RESERVE, given, token, _IN_STATE, (*_key(coupon), "RESERVED", "RESERVED"))


async def _release(shop: Shop) -> Write:
    coupon, reservation, _ = await _reserved(shop)
    given = {"reservationId": reservation}
    return Write(RELEASE, given, shop.service, _IN_STATE, (*_key(coupon), "CLAIMED", "RELEASED"))


def _key(coupon: str) -> tuple[Any, Any]:
    return ref(coupon).owner, ref(coupon).id


# ── what is paid, and given back ────────────────────────────────────────────────────────────────────────────────────

_USES: Final = "SELECT count(*) FROM redemptions WHERE (member_id, coupon_id) = ($1, $2)"


async def _redeem(shop: Shop) -> Write:
    _, coupon = await _claimed(shop)
    given = {
        "orderRef": new_key("order"),
        "redemptionToken": shop.shown(coupon),
        "cart": shop.cart(),
        "storeId": shop.store,
    }
    return Write(REDEEM, given, shop.till, _USES, _key(coupon))


async def _pay(shop: Shop) -> Write:
    coupon, reservation, order = await _reserved(shop)
    return Write(REDEEM, {"orderRef": order, "reservationId": reservation}, shop.service, _USES, _key(coupon))


async def _sync(shop: Shop) -> Write:
    coupons = [(await _claimed(shop))[1] for _ in range(2)]
    rows = [shop.scanned(coupon, new_key("order")) for coupon in coupons]
    counts = "SELECT count(*) FROM redemptions WHERE coupon_id = ANY($1)"
    given = {"storeId": shop.store, "redemptions": rows}
    return Write(SYNC, given, shop.till_in(shop.store), counts, ([ref(one).id for one in coupons],), effects=2)


async def _paid(shop: Shop) -> tuple[str, str]:
    """An order of somebody new, paid: the member's id and the order's reference."""
    _, member = await _member(shop)
    order = new_key("order")
    given = {"orderRef": order, "memberId": member, "state": "PAID", "cart": shop.cart(quantity=2)}
    await shop.ask(RECORD, given, token=shop.service)
    return member, order


async def _record(shop: Shop) -> Write:
    _, member = await _member(shop)
    given = {"orderRef": new_key("order"), "memberId": member, "state": "PAID", "cart": shop.cart()}
    return Write(RECORD, given, shop.service, "SELECT count(*) FROM orders WHERE member_id = $1", (ref(member).id,))


async def _cancel(shop: Shop) -> Write:
    member, order = await _paid(shop)
    given = {"orderRef": order, "memberId": member, "state": "CANCELLED"}
    return Write(RECORD, given, shop.service, "SELECT count(*) FROM refunds WHERE member_id = $1", (ref(member).id,))


async def _refund(shop: Shop) -> Write:
    """One unit of two: a second refund would find another."""
    member, order = await _paid(shop)
    given = {"orderRef": order, "lines": [{"lineId": "1", "quantity": 1}]}
    return Write(REFUND, given, shop.service, "SELECT count(*) FROM refunds WHERE member_id = $1", (ref(member).id,))


# ── what operators do ───────────────────────────────────────────────────────────────────────────────────────────────


async def _adjust(shop: Shop) -> Write:
    _, member = await _member(shop)
    given = {"memberId": member, "delta": PRICE, "reason": "thanks"}
    counts = "SELECT count(*) FROM points_entries WHERE member_id = $1 AND kind = 'ADJUST'"
    return Write(ADJUST, given, shop.operator, counts, (ref(member).id,))


async def _issue(shop: Shop) -> Write:
    """Two coupons for each of two; whoever comes at the same moment goes on with what is not done."""
    members = [(await _member(shop))[1] for _ in range(2)] * 2
    template = await shop.template(stock=1000, limitPerMember=None)
    given = {"couponTemplateId": template, "memberIds": members, "reason": "sorry"}
    counts = "SELECT count(*) FROM coupons WHERE template_id = $1"
    return Write(ISSUE, given, shop.operator, counts, (ref(template).id,), effects=4, shared=True)


async def _codes(shop: Shop) -> Write:
    template = await shop.template(stock=1000)
    given = {"couponTemplateId": template, "pattern": "TEA-########", "count": 5}
    counts = "SELECT count(*) FROM coupon_codes WHERE template_id = $1"
    return Write(CODES, given, shop.operator, counts, (ref(template).id,), effects=5)


async def _void(shop: Shop) -> Write:
    _, coupon = await _claimed(shop)
    given = {"couponId": coupon, "reason": "sorry"}
    return Write(VOID, given, shop.operator, _IN_STATE, (*_key(coupon), "VOIDED", "VOIDED"))


async def _tags(shop: Shop) -> Write:
    _, member = await _member(shop)
    document = mutation("setMemberTags", "replayed member { id tags }")
    counts = "SELECT count(*) FROM member_tags WHERE member_id = $1"
    return Write(document, {"memberId": member, "tags": ["tea"]}, shop.operator, counts, (ref(member).id,))


async def _offline_limits(shop: Shop) -> Write:
    given = {
        "merchantId": shop.merchant,
        "storeId": shop.second_store,
        "maxCount": 1000,
        "maxAmount": {"amount": "9000.00", "currencyCode": "CNY"},
    }
    counts = "SELECT count(*) FROM offline_limits WHERE (store_id, max_count) = ($1, 1000)"
    return Write(LIMIT_OFFLINE, given, shop.operator, counts, (ref(shop.second_store).id,))


# ── what is planned ─────────────────────────────────────────────────────────────────────────────────────────────────


def _making(what: str, table: str, **given: Any) -> Prepare:
    """Makes something of a new name."""

    async def prepare(shop: Shop) -> Write:
        name = new_key(what)
        document = mutation(f"create{what[0].upper()}{what[1:]}", f"replayed {what} {{ id }}")
        named = {"externalRef": name} if what in {"merchant", "store"} else {}
        owned = {"merchantId": shop.merchant} if what == "store" else {}
        counts = f"SELECT count(*) FROM {table} WHERE name = $1"  # noqa: S608 - a table of ours
        return Write(document, {"name": name, **named, **owned, **given}, shop.operator, counts, (name,))

    return prepare


async def _register(shop: Shop) -> Write:
    name = new_key("somebody")
    document = mutation("registerMember", "replayed member { id }")
    counts = "SELECT count(*) FROM members WHERE external_ref = $1"
    return Write(document, {"externalRef": name}, shop.operator, counts, (name,))


async def _start(shop: Shop) -> Write:
    made = await shop.ask(
        mutation("createCampaign", "campaign { id }"), {"name": "Sale", **_CAMPAIGN}, token=shop.operator
    )
    campaign = str(made["campaign"]["id"])
    document = mutation("changeCampaignState", "replayed campaign { id state }")
    counts = "SELECT count(*) FROM campaigns WHERE (id, state) = ($1, 'RUNNING')"
    return Write(document, {"campaignId": campaign, "state": "RUNNING"}, shop.operator, counts, (ref(campaign).id,))


async def _publish(shop: Shop) -> Write:
    template = await shop.draft(stock=10)
    document = mutation("publishCouponTemplate", "replayed couponTemplate { id published }")
    counts = "SELECT count(*) FROM coupon_templates WHERE (id, state) = ($1, 'PUBLISHED')"
    return Write(document, {"couponTemplateId": template}, shop.operator, counts, (ref(template).id,))


_CAMPAIGN: Final = {
    "goal": "CONVERSION", "startsAt": OPEN, "endsAt": CLOSE, "budget": {"amount": "10.00", "currencyCode": "CNY"},
}  # fmt: skip
_TEMPLATE: Final = {
    "kind": "AMOUNT_OFF", "terms": {"amountMinor": 100}, "currencyCode": "CNY", "stock": 10, "claimOpensAt": OPEN,
    "claimClosesAt": CLOSE, "validity": {"daysAfterClaim": 7},
}  # fmt: skip

# By mutation; those of the schema that have an idempotency key are all here, some in several ways.
WRITES: Final[Mapping[str, tuple[Prepare, ...]]] = {
    "adjustPoints": (_adjust,),
    "changeCampaignState": (_start,),
    "checkIn": (_check_in,),
    "claimCoupon": (_claim,),
    "createCampaign": (_making("campaign", "campaigns", **_CAMPAIGN),),
    "createCouponCodes": (_codes,),
    "createCouponTemplate": (_making("couponTemplate", "coupon_templates", **_TEMPLATE),),
    "createMerchant": (_making("merchant", "merchants"),),
    "createReward": (_making("reward", "rewards", kind="GOODS", pointsPrice=PRICE, stock=10),),
    "createStore": (_making("store", "stores"),),
    "exchangePoints": (_exchange,),
    "issueCoupons": (_issue,),
    "publishCouponTemplate": (_publish,),
    "recordOrder": (_record, _cancel),
    "redeemCode": (_redeem_code,),
    "redeemCoupons": (_redeem, _pay),
    "refundOrder": (_refund,),
    "registerMember": (_register,),
    "releaseReservation": (_release,),
    "reserveCoupons": (_reserve,),
    "setMemberTags": (_tags,),
    "setOfflineLimits": (_offline_limits,),
    "syncOfflineRedemptions": (_sync,),
    "voidCoupon": (_void,),
}


# ── the race ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def same_key(arena: Arena, size: Size) -> Tally:
    """Each of them so often at once: all are answered with success, all alike, and one did it."""
    times = size.same_key
    tally = Tally("every write 100 times at once under one key" if times == 100 else "every write, often under one key")
    writes = await arena.at_once([_preparing(arena, prepare) for each in WRITES.values() for prepare in each])
    sent = [{**write.given, "idempotencyKey": new_key("the-one")} for write in writes]
    asked = [_asking(write, one) for write, one in zip(writes, sent, strict=True) for _ in range(times)]
    answers = await arena.at_once(asked)
    for place, (write, one) in enumerate(zip(writes, sent, strict=True)):
        _require_one_answer(tally, write, answers[place * times : (place + 1) * times])
        done = await arena.value(write.counts, *write.place)
        kept = await arena.value("SELECT count(*) FROM idempotency WHERE key = $1", one["idempotencyKey"])
        tally.expect(f"{done} effects and {kept} receipts: {write.document}", holds=(done, kept) == (write.effects, 1))
    await arena.sums_agree(tally)
    return tally


def _preparing(arena: Arena, prepare: Prepare) -> Callable[[Client], Any]:
    async def ask(client: Client) -> Write:
        return await prepare(arena.shop.asked_by(client))

    return ask


def _asking(write: Write, sent: Mapping[str, Any]) -> Callable[[Client], Any]:
    async def ask(client: Client) -> Answer:
        return await client.ask(write.document, sent, token=write.token)

    return ask


def _require_one_answer(tally: Tally, write: Write, answers: list[Answer]) -> None:
    tally.rounds += 1
    for answer in answers:
        tally.count(answer.code)
    alike = {str({**answer.data, "replayed": None, "coupon": _lasting(answer)}) for answer in answers}
    first = [answer for answer in answers if not answer.data.get("replayed", False)]
    # One whose answer was lost has had it all the same: then all that came are replays.
    lost = any(answer.attempts > 1 for answer in answers)
    once = len(first) == 1 or (write.shared and first) or (not first and lost)
    codes = sorted({answer.code for answer in answers})
    tally.verify(
        f"{codes}, {len(alike)} answers, {len(first)} first ones: {write.document}",
        holds=codes == ["DONE"] and len(alike) == 1 and bool(once),
        answers=len(answers),
    )


def _lasting(answer: Answer) -> object:
    """A coupon without the code for the till, which is another one at each look."""
    coupon = answer.data.get("coupon")
    return None if coupon is None else {key: coupon[key] for key in ("id", "state")}
