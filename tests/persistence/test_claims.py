from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.coupons.claimed import Claimed
from domain.coupons.drafts import ValidityDraft
from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted, SoldOut
from domain.coupons.model import CouponKey
from domain.coupons.offer import CouponState
from domain.coupons.use_cases import ClaimCoupon, expire_coupons
from domain.shared.errors import Forbidden, IdempotencyKeyReused, NotFound
from domain.shared.idempotency import Done
from domain.shared.ids import TemplateId
from domain.shared.principal import Scope
from persistence.base import on_statement
from tests.coupon_world import CLOSES_AT, NOON, OPENS_AT, PROGRAMME, World, claim, issue, member, once, world
from tests.queries import names_into


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


async def test_a_claim_gives_a_coupon_with_the_terms_as_they_stand(laurel: World) -> None:
    template_id = await laurel.published()
    claimed = await laurel.claimed(template_id)
    (row,) = await laurel.rows("SELECT * FROM coupons")
    assert (row["id"], row["member_id"], row["template_id"]) == (claimed.coupon_id, member(1), template_id)
    assert (row["state"], row["ordinal"], row["kind"]) == ("CLAIMED", 1, "THRESHOLD_AMOUNT_OFF")
    assert row["terms"] == {"thresholdMinor": 10000, "amountMinor": 2000}
    assert row["claimed_at"] == row["valid_from"] == NOON
    # Seven days are seven calendar days of the programme: until 00:00 of 8 June in Shanghai.
    assert row["valid_until"] == datetime(2026, 6, 7, 16, tzinfo=UTC)
    assert len(row["code"]) == 12
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 99


@pytest.mark.parametrize(
    ("zone", "claimed_at", "until"),
    [
        ("Asia/Shanghai", "2026-05-31T16:00", "2026-06-07T16:00"),
        ("Asia/Shanghai", "2026-06-01T15:59:59.999999", "2026-06-07T16:00"),
        # Beirut has no midnight on 29 March 2026: the day after the seventh begins at 01:00.
        ("Asia/Beirut", "2026-03-22T12:00", "2026-03-28T22:00"),
        # Havana has two on 1 November 2026: the first ends the seventh day.
        ("America/Havana", "2026-10-25T12:00", "2026-11-01T04:00"),
        # New York has none of either, and seven days of 167 hours.
        ("America/New_York", "2026-03-05T05:00", "2026-03-12T04:00"),
    ],
)
async def test_seven_days_after_the_claim_are_days_of_the_programme_to_their_last_instant(
    database_url: str, zone: str, claimed_at: str, until: str
) -> None:
    ends = datetime.fromisoformat(until).replace(tzinfo=UTC)
    async with world(database_url, programme=replace(PROGRAMME, zone=ZoneInfo(zone))) as laurel:
        laurel.clock.at = datetime.fromisoformat(claimed_at).replace(tzinfo=UTC)
        await laurel.claimed(await laurel.published())
        assert await laurel.value("SELECT valid_until FROM coupons") == ends
        for at, state in ((ends - timedelta.resolution, CouponState.CLAIMED), (ends, CouponState.EXPIRED)):
            laurel.clock.at = at
            (key,) = [
                CouponKey(row["member_id"], row["id"]) for row in await laurel.rows("SELECT member_id, id FROM coupons")
            ]
            read = await laurel.reads.coupons_by_key([key], scope=Scope.system())
            assert read[key].state is state, at
            await expire_coupons(begin=lambda: laurel.database.begin(Scope.system()), limit=10)
            assert await laurel.value("SELECT state FROM coupons") == state.value, "swept or not"


async def test_a_claim_writes_one_event_and_one_receipt(laurel: World) -> None:
    claimed = await laurel.claimed(await laurel.published())
    (event,) = await laurel.rows("SELECT * FROM events")
    assert (event["owner_id"], event["stream"], event["sequence"]) == (member(1), "wallet", 1)
    assert (event["kind"], event["subject_id"]) == ("CLAIMED", claimed.coupon_id)
    assert await laurel.value("SELECT count(*) FROM idempotency WHERE mutation = 'claimCoupon'") == 1


async def test_second_claim_over_the_limit_is_refused(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=1)
    await laurel.claimed(template_id)
    refusal = await laurel.claim(template_id)
    assert isinstance(refusal, ClaimLimitReached)
    assert (refusal.limit, refusal.resets_at) == (1, None)
    assert await laurel.value("SELECT count(*) FROM coupons") == 1
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 99


async def test_a_limit_by_the_day_counts_days_of_the_programme(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None, limit_per_member_per_day=2)
    laurel.clock.at = datetime(2026, 6, 1, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    await laurel.claimed(template_id)
    await laurel.claimed(template_id)
    refusal = await laurel.claim(template_id)
    assert isinstance(refusal, ClaimLimitReached)
    assert (refusal.limit, refusal.resets_at) == (2, datetime(2026, 6, 1, 16, tzinfo=UTC))
    laurel.clock.advance(minutes=1)
    await laurel.claimed(template_id)
    assert [r["ordinal"] for r in await laurel.rows("SELECT ordinal FROM coupons ORDER BY 1")] == [1, 2, 3]


async def test_a_draft_and_an_unknown_template_are_not_found(laurel: World) -> None:
    assert isinstance(await laurel.claim(await laurel.create()), NotFound)
    assert isinstance(await laurel.claim(TemplateId(member(7))), NotFound)
    assert await laurel.value("SELECT count(*) FROM coupons") == 0


async def test_the_claim_window_is_half_open(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    for at, outcome in (
        (OPENS_AT - timedelta(microseconds=1), NotStarted),
        (OPENS_AT, Done),
        (CLOSES_AT - timedelta(microseconds=1), Done),
        (CLOSES_AT, Ended),
    ):
        laurel.clock.at = at
        assert isinstance(await laurel.claim(template_id), outcome), at


async def test_refusals_carry_their_facts(laurel: World) -> None:
    template_id = await laurel.published()
    laurel.clock.at = OPENS_AT - timedelta(days=1)
    early = await laurel.claim(template_id)
    assert isinstance(early, NotStarted)
    assert early.opens_at == OPENS_AT
    laurel.clock.at = CLOSES_AT + timedelta(days=1)
    late = await laurel.claim(template_id)
    assert isinstance(late, Ended)
    assert late.closed_at == CLOSES_AT


async def test_who_comes_after_the_last_coupon_is_told_that_it_is_sold_out(laurel: World) -> None:
    template_id = await laurel.published(stock=2)
    outcomes = await laurel.claim_set([claim(template_id, n) for n in range(4)])
    assert [type(o) for o in outcomes] == [Claimed, Claimed, SoldOut, SoldOut]
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 0


async def test_a_set_decides_in_the_order_given_and_numbers_each_members_coupons(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=2)
    outcomes = await laurel.claim_set([claim(template_id, n) for n in (1, 2, 1, 1, 2)])
    assert [type(o) for o in outcomes] == [Claimed, Claimed, Claimed, ClaimLimitReached, Claimed]
    found = await laurel.rows("SELECT member_id, ordinal FROM coupons ORDER BY 1, 2")
    assert {(r["member_id"], r["ordinal"]) for r in found} == {(member(m), o) for m in (1, 2) for o in (1, 2)}
    sequences = await laurel.rows("SELECT sequence FROM streams")
    assert [r["sequence"] for r in sequences] == [2, 2]


async def test_the_same_key_again_gives_the_first_answer(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    first = await laurel.claim(template_id, key="mine")
    again = await laurel.claim(template_id, key="mine")
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result
    assert await laurel.value("SELECT count(*) FROM coupons") == 1


async def test_a_key_repeated_within_one_set_is_one_claim(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    first, *rest = await laurel.claim_set([claim(template_id, key="mine") for _ in range(100)])
    assert isinstance(first, Done)
    assert not first.replayed
    assert rest == [Done(first.result, replayed=True)] * 99
    assert await laurel.value("SELECT count(*) FROM coupons") == 1


async def test_a_key_used_for_another_template_is_refused(laurel: World) -> None:
    one, other = await laurel.published(), await laurel.published()
    await laurel.claim(one, key="mine")
    assert isinstance(await laurel.claim(other, key="mine"), IdempotencyKeyReused)
    mixed = await laurel.claim_set([claim(one, 2, key="k", content=b"a"), claim(one, 2, key="k", content=b"b")])
    assert [type(o) for o in mixed] == [Claimed, IdempotencyKeyReused]


async def test_the_same_key_of_another_member_is_another_key(laurel: World) -> None:
    template_id = await laurel.published()
    outcomes = [await laurel.claim(template_id, n, key="mine") for n in (1, 2)]
    assert [o.replayed for o in outcomes if isinstance(o, Done)] == [False, False]


async def test_a_refused_claim_may_be_sent_again_with_its_key(laurel: World) -> None:
    template_id = await laurel.published(stock=1)
    await laurel.claimed(template_id, 2)
    assert isinstance(await laurel.claim(template_id, key="mine"), SoldOut)
    await laurel.rows("UPDATE coupon_template_stock SET total = 2, remaining = 1")
    outcome = await laurel.claim(template_id, key="mine")
    assert isinstance(outcome, Done)
    assert not outcome.replayed


async def test_a_replay_is_answered_even_when_the_claim_would_now_be_refused(laurel: World) -> None:
    template_id = await laurel.published(stock=1)
    first = await laurel.claim(template_id, key="mine")
    laurel.clock.at = CLOSES_AT + timedelta(days=30)
    again = await laurel.claim(template_id, key="mine")
    assert isinstance(first, Done)
    assert again == Done(first.result, replayed=True)


async def test_nobody_claims_for_somebody_else() -> None:
    with pytest.raises(Forbidden):
        ClaimCoupon(TemplateId(member(0)), member(1), Scope.of_member(member(2)), once(member(2)))
    with pytest.raises(Forbidden):
        ClaimCoupon(TemplateId(member(0)), member(1), Scope.nobody(), once(member(2)))


async def test_a_fixed_validity_is_the_coupons_own(laurel: World) -> None:
    until = CLOSES_AT + timedelta(days=5)
    await laurel.claimed(await laurel.published(validity=ValidityDraft(starts_at=CLOSES_AT, ends_at=until)))
    (row,) = await laurel.rows("SELECT valid_from, valid_until FROM coupons")
    assert (row["valid_from"], row["valid_until"]) == (CLOSES_AT, until)


@pytest.mark.parametrize("size", [1, 10, 500])
async def test_a_set_of_any_size_takes_the_same_few_statements(laurel: World, size: int) -> None:
    template_id = await laurel.published(stock=1000)
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        await laurel.claim_set([claim(template_id, n) for n in range(size)])
    finally:
        on_statement.reset(token)
    assert names == [
        "lock_template_stock",
        "claim_history",
        "advance_stream",
        "insert_events_alike",
        "add_coupons",
        "take_from_stock",
        "record_receipts",
    ]


async def test_coupons_issued_within_another_transaction_share_stock_limits_and_events(laurel: World) -> None:
    template_id = await laurel.published(stock=3, limit_per_member=2)

    async def issued(number: int, count: int) -> int:
        async with laurel.database.begin(Scope.of_member(member(number))) as tx:
            return await issue(tx, template_id, number=number, count=count)

    assert await issued(1, 2) == 2
    with pytest.raises(ClaimLimitReached):
        await issued(1, 1)
    with pytest.raises(SoldOut):
        await issued(2, 2)
    assert await laurel.value("SELECT count(*) FROM coupons") == 2, "all of them or none"
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 1
    assert await laurel.value("SELECT count(*) FROM events") == 2
