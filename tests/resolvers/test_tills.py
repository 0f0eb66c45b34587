"""Tills: each token once, and what a store redeemed without a network, handed in row by row."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.coupons.use_cases import expire_coupons
from domain.shared.principal import Scope
from tests.street import Street, street
from tests.tills import TWENTY_OFF, hand_in, limit, said, scan, sound
from tests.world import OPERATOR, SERVICE, TOKENS, key, staff, uuid_of

__all__ = ["street"]


# ── one use ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_good_for_one_order_even_after_that_was_cancelled(street: Street) -> None:
    coupon = await street.coupon(**TWENTY_OFF)
    token = await street.token(coupon)
    first = await street.redeem(street.till, coupon, redemptionToken=token)
    assert first["__typename"] == "RedeemCouponsSuccess"
    await street.record(street.till, "CANCELLED")
    again = await street.redeem(street.till, coupon, redemptionToken=token, orderRef="A2")
    assert (again["__typename"], again["code"]) == ("RedemptionCodeUsedProblem", "REDEMPTION_CODE_USED")
    assert (await street.redeem(street.till, coupon, orderRef="A2"))["__typename"] == "RedeemCouponsSuccess", (
        "a new one is"
    )
    assert await sound(street)


async def test_a_refused_redemption_does_not_use_the_token_up(street: Street) -> None:
    coupon = await street.coupon()
    token = await street.token(coupon)
    assert (await street.redeem(street.till, coupon, redemptionToken=token, cart=street.cart("1.00")))[
        "code"
    ] == "NOT_ELIGIBLE"
    assert (await street.redeem(street.till, coupon, redemptionToken=token))["__typename"] == "RedeemCouponsSuccess"


async def test_a_balance_pays_one_order_per_token(street: Street) -> None:
    """A coupon that keeps a balance stays usable, so that nothing but the token stops its second use."""
    coupon = await street.coupon(kind="CASH", terms={"faceMinor": 100_000})
    token = await street.token(coupon)
    used = [await street.redeem(street.till, coupon, redemptionToken=token, orderRef=f"A{n}") for n in range(2)]
    assert [one["__typename"] for one in used] == ["RedeemCouponsSuccess", "RedemptionCodeUsedProblem"]


async def test_of_two_tills_that_scan_one_token_at_once_one_redeems(street: Street) -> None:
    coupon = await street.coupon(kind="CASH", terms={"faceMinor": 100_000})
    token = await street.token(coupon)
    tills = [staff(uuid_of(street.merchant), uuid_of(s), subject=s) for s in (street.store, street.second_store)]
    stores = (street.store, street.second_store)
    used = await asyncio.gather(
        *(
            street.redeem(who, coupon, redemptionToken=token, orderRef=f"A{n}", storeId=store)
            for n, (who, store) in enumerate([*zip(tills, stores, strict=True)] * 3)
        )
    )
    assert sorted(one["__typename"] for one in used) == ["RedeemCouponsSuccess"] + ["RedemptionCodeUsedProblem"] * 5
    assert await sound(street)


# ── without a network ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_row_is_its_own_decision(street: Street) -> None:
    fine, used, poor = [await street.coupon(**TWENTY_OFF) for _ in range(2)] + [await street.coupon()]
    await street.redeem(street.till, used, orderRef="B1")
    # The phone still shows a code of before.
    member = street.member.member_id
    assert member is not None
    stale = TOKENS.sign(member, uuid_of(used), street.world.clock.now() + timedelta(seconds=60))  # type: ignore[arg-type]
    rows = [
        await scan(street, fine, "A1"),
        await scan(street, fine, "A2", token=stale),
        await scan(street, fine, "A3", token="lrt1.forged"),
        await scan(street, poor, "A4", cart=street.cart("1.00")),
    ]
    street.world.clock.advance(hours=5)
    done = await hand_in(street, *rows)
    assert done["__typename"] == "SyncOfflineRedemptionsSuccess"
    assert [one["orderRef"] for one in done["outcomes"]] == ["A1", "A2", "A3", "A4"]
    assert said(done) == ["REDEEMED", "COUPON_NOT_USABLE", "NOT_FOUND", "NOT_ELIGIBLE"]
    redemption = done["outcomes"][0]["redemption"]
    assert (redemption["discount"]["minorUnits"], redemption["store"]["name"]) == (2000, "North")
    assert done["outcomes"][3]["problem"]["eligibility"]["unlock"] == "Spend ¥99.00 more to save ¥20.00"
    assert await sound(street)


async def test_a_budget_that_was_used_up_in_the_meantime_is_a_rows_own_outcome(street: Street) -> None:
    made = await street.world.do(
        "createCampaign",
        OPERATOR,
        "campaign { id }",
        name="spring",
        goal="RETENTION",
        startsAt="2026-01-01T00:00:00Z",
        endsAt="2027-01-01T00:00:00Z",
        budget={"amount": "30.00", "currencyCode": "CNY"},
    )
    campaign = made["campaign"]["id"]
    for state in ("SCHEDULED", "RUNNING"):
        await street.world.do("changeCampaignState", OPERATOR, campaignId=campaign, state=state)
    rows = [await scan(street, await street.coupon(**TWENTY_OFF, campaignId=campaign), f"A{n}") for n in range(2)]
    same = key()
    for _ in range(2):
        assert said(await hand_in(street, *rows, idempotencyKey=same)) == ["REDEEMED", "BUDGET_EXHAUSTED"]
    assert await sound(street)


async def test_a_batch_is_answered_again_under_its_key_and_rows_under_another(street: Street) -> None:
    coupon, poor = await street.coupon(**TWENTY_OFF), await street.coupon()
    rows = [await scan(street, coupon, "A1"), await scan(street, poor, "A2", cart=street.cart("1.00"))]
    street.world.clock.advance(hours=1)
    same = key()
    first = await hand_in(street, *rows, idempotencyKey=same)
    again = await hand_in(street, *rows, idempotencyKey=same)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["outcomes"] == first["outcomes"], "refusals too, with all that they said"
    other = await hand_in(street, *rows)
    assert other["outcomes"][0]["redemption"] == first["outcomes"][0]["redemption"], "an order redeems once"
    reused = await hand_in(street, rows[0], idempotencyKey=same)
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await sound(street)


async def test_one_batch_handed_in_many_times_at_once_redeems_each_row_once(street: Street) -> None:
    rows = [await scan(street, await street.coupon(**TWENTY_OFF), f"A{n}") for n in range(3)]
    street.world.clock.advance(hours=1)
    same = key()
    batches = await asyncio.gather(*(hand_in(street, *rows, idempotencyKey=same) for _ in range(6)))
    assert all(batch["outcomes"] == batches[0]["outcomes"] for batch in batches)
    assert said(batches[0]) == ["REDEEMED"] * 3
    assert await sound(street)


async def test_a_coupon_that_a_till_hands_in_while_another_redeems_it_is_used_once(street: Street) -> None:
    for number in range(5):
        coupon = await street.coupon(**TWENTY_OFF)
        row = await scan(street, coupon, f"A{number}")
        handed, online = await asyncio.gather(
            hand_in(street, row), street.redeem(street.till, coupon, orderRef=f"B{number}")
        )
        outcomes = (said(handed)[0], online.get("code", "REDEEMED"))
        assert sorted(outcomes) == ["COUPON_NOT_USABLE", "REDEEMED"], outcomes
    assert await sound(street)


@pytest.mark.parametrize(
    ("scanned", "handed_in", "outcome"),
    [
        # The token is made at 0 s and lives for 60.
        (0, 3600, "REDEEMED"),
        (59, 3600, "REDEEMED"),
        (60, 3600, "REDEMPTION_CODE_EXPIRED"),
        (7200, 7300, "REDEMPTION_CODE_EXPIRED"),
        # A clock that goes a little wrong is believed, one that says it was before the token can have been made is not.
        (-300, 3600, "REDEEMED"),
        (-400, 3600, "SCAN_TIME_REFUSED"),
        # So long ago that nobody asks any more; and the future.
        (0, 72 * 3600 - 1, "REDEEMED"),
        (0, 72 * 3600 + 1, "SCAN_TIME_REFUSED"),
        (59, -90, "SCAN_TIME_REFUSED"),
        (20, -90, "REDEEMED"),
    ],
)
async def test_the_tills_clock_is_believed_within_bounds(
    scanned: int, handed_in: int, outcome: str, street: Street
) -> None:
    coupon = await street.coupon(**TWENTY_OFF)
    at = street.world.clock.now() + timedelta(seconds=scanned)
    row = await scan(street, coupon, "A1", scannedAt=at.isoformat())
    street.world.clock.advance(seconds=handed_in)
    assert said(await hand_in(street, row)) == [outcome]


@pytest.mark.parametrize("swept", [True, False])
async def test_a_coupon_that_expired_after_the_scan_is_used_as_it_was_then(*, swept: bool, street: Street) -> None:
    """Lazy expiry and the sweeper agree: the till took the coupon in time, whatever happened before it was told."""
    coupon = await street.coupon(**TWENTY_OFF, validity={"daysAfterClaim": 1})
    row = await scan(street, coupon, "A1")
    street.world.clock.advance(hours=20)
    assert (await street.redeem(street.till, coupon, orderRef="B1"))["code"] == "COUPON_EXPIRED"
    if swept:
        begin = street.world.database.begin
        assert await expire_coupons(limit=10, begin=lambda: begin(Scope.system())) == 1
    assert said(await hand_in(street, row)) == ["REDEEMED"]
    late = await scan(street, coupon, "A2")
    assert said(await hand_in(street, late)) == ["COUPON_NOT_USABLE"]
    assert await sound(street)


async def test_hours_and_days_of_conditions_are_those_of_the_scan(street: Street) -> None:
    lunch = {"timeOfDay": {"from": "11:00", "until": "14:00"}}
    rows = [await scan(street, await street.coupon(**TWENTY_OFF, conditions=lunch), "A1")]
    street.world.clock.advance(hours=8)
    rows.append(await scan(street, await street.coupon(**TWENTY_OFF, conditions=lunch), "A2"))
    assert said(await hand_in(street, *rows)) == ["REDEEMED", "NOT_ELIGIBLE"]


async def test_one_scan_for_two_orders_counts_once(street: Street) -> None:
    coupon = await street.coupon(kind="CASH", terms={"faceMinor": 100_000})
    token = await street.token(coupon)
    rows = [await scan(street, coupon, f"A{n}", token=token) for n in range(2)]
    online = await street.redeem(street.till, coupon, redemptionToken=token, orderRef="B1")
    assert online["__typename"] == "RedeemCouponsSuccess"
    assert said(await hand_in(street, *rows)) == ["REDEMPTION_CODE_USED"] * 2
    assert await sound(street)


# ── the limits of a store's day ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_stores_day_is_accepted_up_to_its_limits(street: Street) -> None:
    assert (await limit(street, 2, "1000.00"))["maxCount"] == 2
    rows = [await scan(street, await street.coupon(**TWENTY_OFF), f"A{n}") for n in range(4)]
    done = await hand_in(street, *rows[:3])
    assert said(done) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"]
    problem = done["outcomes"][2]["problem"]
    assert (problem["onDate"], problem["maxCount"], problem["maxAmount"]["minorUnits"]) == ("2026-06-01", 2, 100_000)
    assert await street.redeem(street.till, await street.coupon(**TWENTY_OFF), orderRef="B1"), "connected, it goes on"
    await limit(street, 10, "59.99", store=street.store)
    assert said(await hand_in(street, *rows[2:])) == ["OFFLINE_LIMIT_REACHED"] * 2, "¥40.00 are accepted"
    await limit(street, 10, "60.00", store=street.store)
    assert said(await hand_in(street, *rows[2:])) == ["REDEEMED", "OFFLINE_LIMIT_REACHED"]
    other = await hand_in(street, rows[3], who=staff(uuid_of(street.merchant)), storeId=street.second_store)
    assert said(other) == ["REDEEMED"], "another store has a day of its own"
    assert await sound(street)


async def test_a_discount_in_another_currency_is_not_accepted_unseen(street: Street) -> None:
    """The limits are amounts of the programme's currency: 3000 yen are not 30.00 yuan."""
    yen: dict[str, Any] = {"currencyCode": "JPY", "terms": {"amountMinor": 3000}, "kind": "AMOUNT_OFF"}
    cart = street.cart("12000")
    cart["currencyCode"] = cart["lines"][0]["unitPrice"]["currencyCode"] = "JPY"
    coupon = await street.coupon(**yen)
    assert said(await hand_in(street, await scan(street, coupon, "A1", cart=cart))) == ["OFFLINE_LIMIT_REACHED"]
    connected = await street.redeem(street.till, coupon, orderRef="A2", cart=cart)
    assert connected["redemptions"], "a till with a network asks no limit"
    assert await sound(street)


async def test_what_is_handed_in_late_counts_towards_the_day_it_was_scanned_on(street: Street) -> None:
    await limit(street, 1, "1000.00")
    rows = [await scan(street, await street.coupon(**TWENTY_OFF), f"A{n}") for n in range(2)]
    street.world.clock.advance(days=1)
    rows.append(await scan(street, await street.coupon(**TWENTY_OFF), "A2"))
    done = await hand_in(street, rows[0], rows[2], rows[1])
    assert said(done) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"]
    assert done["outcomes"][2]["problem"]["onDate"] == "2026-06-01"
    assert await sound(street)


async def test_batches_of_many_members_at_once_stay_within_the_limits(street: Street) -> None:
    await limit(street, 5, "1000.00")
    rows = []
    for n in range(12):
        member = await street.world.member(f"member-{n}")
        coupon = await street.coupon(member, **TWENTY_OFF)
        rows.append(await scan(street, coupon, f"A{n}", member=member))
    done = await asyncio.gather(*(hand_in(street, *rows[n::4]) for n in range(4)))
    outcomes = [word for batch in done for word in said(batch)]
    assert (outcomes.count("REDEEMED"), outcomes.count("OFFLINE_LIMIT_REACHED")) == (5, 7)
    assert await sound(street)


async def test_a_merchant_without_limits_has_those_of_the_programme(street: Street) -> None:
    rows = [
        await scan(street, await street.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 100_000}), f"A{n}")
        for n in range(3)
    ]
    rows = [row | {"cart": street.cart("2000.00")} for row in rows]
    assert said(await hand_in(street, *rows)) == ["REDEEMED", "REDEEMED", "OFFLINE_LIMIT_REACHED"]


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_till_hands_in_for_its_own_store_alone(street: Street) -> None:
    row = await scan(street, await street.coupon(**TWENTY_OFF), "A1")
    elsewhere = await hand_in(street, row, storeId=street.second_store)
    assert (elsewhere["code"], elsewhere["__typename"]) == ("NOT_FOUND", "NotFoundProblem")
    stranger = await hand_in(street, row, who=staff(uuid_of(street.other)))
    assert stranger["code"] == "NOT_FOUND"
    document = "mutation($input: SyncOfflineRedemptionsInput!) { syncOfflineRedemptions(input: $input) { __typename } }"
    given = {"storeId": street.store, "redemptions": [row], "idempotencyKey": key()}
    assert await street.world.codes(document, street.member, input=given) == ["FORBIDDEN"]
    assert said(await hand_in(street, row, who=SERVICE)) == ["REDEEMED"]


async def test_a_cart_of_another_shop_is_a_mistake_of_the_whole_batch_and_nothing_is_done(street: Street) -> None:
    coupon = await street.coupon(**TWENTY_OFF)
    rows = [await scan(street, coupon, "A1"), await scan(street, coupon, "A2", cart=street.cart(of=street.other))]
    document = "mutation($input: SyncOfflineRedemptionsInput!) { syncOfflineRedemptions(input: $input) { __typename } }"
    given = {"storeId": street.store, "redemptions": rows, "idempotencyKey": key()}
    answered = await street.world.answer(document, street.till, input=given)
    assert answered.errors is not None
    assert "redemptions.1.cart" in answered.errors[0].message
    for wrong in ([], [rows[0]] * 201):
        assert await street.world.codes(document, street.till, input=given | {"redemptions": wrong}) == [
            "BAD_USER_INPUT"
        ]
    assert said(await hand_in(street, rows[0])) == ["REDEEMED"], "it was not done before"


async def test_operators_alone_set_limits_and_only_of_what_there_is(street: Street) -> None:
    nobody = await street.world.do(
        "setOfflineLimits",
        OPERATOR,
        merchantId=street.other,
        storeId=street.store,
        maxCount=1,
        maxAmount={"amount": "1.00", "currencyCode": "CNY"},
    )
    assert (nobody["code"], nobody["__typename"]) == ("NOT_FOUND", "NotFoundProblem")
    document = "mutation($input: SetOfflineLimitsInput!) { setOfflineLimits(input: $input) { __typename } }"
    given = {
        "merchantId": street.merchant,
        "maxCount": 1,
        "maxAmount": {"amount": "1.00", "currencyCode": "CNY"},
        "idempotencyKey": "k",
    }
    assert await street.world.codes(document, street.owner, input=given) == ["FORBIDDEN"]
    dollar = {"amount": "1.00", "currencyCode": "USD"}
    for wrong in ({"maxCount": -1}, {"maxAmount": dollar}, {"maxCountPerTill": -1}, {"maxAmountPerTill": dollar}):
        assert await street.world.codes(document, OPERATOR, input=given | wrong) == ["BAD_USER_INPUT"]
