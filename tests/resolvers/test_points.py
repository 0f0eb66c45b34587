"""Points: adjusted, expired, checked in; lots, journal and account agree at every step."""

import asyncio
from datetime import UTC, datetime, timedelta

from domain.points.use_cases import expire_points
from domain.shared.principal import Principal, Scope
from tests.world import OPERATOR, World, key

ACCOUNT = "account { available pending debt lifetimeEarned } transaction { kind delta balanceAfter reason }"


async def member_id(world: World, member: Principal) -> str:
    return str((await world.ask("{ me { id } }", member))["me"]["id"])


async def assert_books_balance(world: World) -> None:
    """Σ postings = 0 for each entry; account = Σ postings = Σ lots."""
    pool = world.database.pool
    assert not await pool.fetch("SELECT entry_id FROM points_postings GROUP BY 1 HAVING sum(amount) <> 0")
    assert not await pool.fetch(
        """SELECT a.member_id FROM points_accounts a
        WHERE a.available <> (SELECT coalesce(sum(remaining), 0) FROM points_lots l WHERE l.member_id = a.member_id)
           OR a.available <> (SELECT coalesce(sum(amount), 0) FROM points_postings p
                              WHERE p.member_id = a.member_id AND account = 'AVAILABLE')
           OR a.pending <> (SELECT coalesce(sum(amount), 0) FROM points_postings p
                            WHERE p.member_id = a.member_id AND account = 'PENDING')
           OR a.debt <> -(SELECT coalesce(sum(amount), 0) FROM points_postings p
                          WHERE p.member_id = a.member_id AND account = 'DEBT')"""
    )


async def test_points_are_given_and_taken_with_a_reason(world: World) -> None:
    member = await world.member()
    id_ = await member_id(world, member)
    given = await world.do("adjustPoints", OPERATOR, ACCOUNT, memberId=id_, delta=500, reason="welcome")
    taken = await world.do("adjustPoints", OPERATOR, ACCOUNT, memberId=id_, delta=-200, reason="a mistake")
    assert given["transaction"] == {"kind": "ADJUST", "delta": 500, "balanceAfter": 500, "reason": "welcome"}
    assert taken["account"]["available"] == 300
    mine = await world.ask("{ me { points { available sequence transactions { nodes { delta } } } } }", member)
    assert mine["me"]["points"] == {
        "available": 300,
        "sequence": 2,
        "transactions": {"nodes": [{"delta": -200}, {"delta": 500}]},
    }
    await assert_books_balance(world)


async def test_taking_more_than_there_is_is_refused_and_writes_nothing(world: World) -> None:
    id_ = await member_id(world, await world.member())
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=100, reason="r")
    document = """mutation ($input: AdjustPointsInput!) { adjustPoints(input: $input) {
        ... on InsufficientPointsProblem { code message required available shortfall } } }"""
    given = {"memberId": id_, "delta": -150, "reason": "r", "idempotencyKey": key()}
    refused = (await world.ask(document, OPERATOR, input=given))["adjustPoints"]
    assert refused == {
        "code": "INSUFFICIENT_POINTS",
        "message": "Not enough points: 50 more are needed.",
        "required": 150,
        "available": 100,
        "shortfall": 50,
    }
    assert await world.database.pool.fetchval("SELECT count(*) FROM points_entries") == 1
    assert (await world.ask(document, OPERATOR, locale="zh-CN", input=given))["adjustPoints"]["message"].startswith(
        "积分不足"
    )


async def test_fifty_withdrawals_at_once_never_take_more_than_there_is(world: World) -> None:
    id_ = await member_id(world, await world.member())
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=100, reason="r")
    answers = await asyncio.gather(
        *(world.do("adjustPoints", OPERATOR, memberId=id_, delta=-10, reason="r") for _ in range(50))
    )
    assert [a["__typename"] for a in answers].count("AdjustPointsSuccess") == 10
    assert await world.database.pool.fetchval("SELECT available FROM points_accounts") == 0
    sequences = await world.database.pool.fetch("SELECT sequence FROM events WHERE stream = 'points' ORDER BY 1")
    assert [r["sequence"] for r in sequences] == list(range(1, 12))
    await assert_books_balance(world)


async def test_the_earliest_expiry_is_spent_first_and_never_expiring_points_last(world: World) -> None:
    id_ = await member_id(world, await world.member())
    soon, later = (world.clock.at + timedelta(days=d) for d in (10, 20))
    for points, expires_at in ((10, None), (20, later), (30, soon)):
        await world.do(
            "adjustPoints",
            OPERATOR,
            memberId=id_,
            delta=points,
            reason="r",
            expiresAt=expires_at and expires_at.isoformat(),
        )
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=-35, reason="r")
    left = await world.database.pool.fetch("SELECT earned, remaining FROM points_lots ORDER BY earned")
    assert [(r["earned"], r["remaining"]) for r in left] == [(10, 10), (20, 15), (30, 0)]


async def test_expired_points_are_gone_at_once_and_posted_by_the_sweep(world: World) -> None:
    member = await world.member()
    id_ = await member_id(world, member)
    expires_at = world.clock.at + timedelta(days=1)
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=70, reason="r", expiresAt=expires_at.isoformat())
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=30, reason="r")
    world.clock.at = expires_at
    document = (
        "{ me { points { available expiring(withinDays: 30) { remaining } transactions { nodes { kind delta } } } } }"
    )
    assert (await world.ask(document, member))["me"]["points"]["available"] == 30
    served = await expire_points(begin=lambda: world.database.begin(Scope.system()))
    assert served == 1
    points = (await world.ask(document, member))["me"]["points"]
    assert points["available"] == 30
    assert points["transactions"]["nodes"][0] == {"kind": "EXPIRE", "delta": -70}
    assert await expire_points(begin=lambda: world.database.begin(Scope.system())) == 0
    await assert_books_balance(world)


async def test_what_expires_within_days_is_listed_and_the_past_balance_is_known(world: World) -> None:
    member = await world.member()
    id_ = await member_id(world, member)
    before = world.clock.at
    for days in (5, 50):
        await world.do(
            "adjustPoints",
            OPERATOR,
            memberId=id_,
            delta=days,
            reason="r",
            expiresAt=(before + timedelta(days=days)).isoformat(),
        )
    world.clock.advance(hours=1)
    await world.do("adjustPoints", OPERATOR, memberId=id_, delta=-5, reason="r")
    document = "query ($at: DateTime!) { me { points { expiring { remaining } asOf(at: $at) } } }"
    mine = await world.ask(document, member, at=before.isoformat())
    assert mine["me"]["points"] == {"expiring": [], "asOf": 55}


async def test_check_in_once_a_day_counts_the_streak_by_the_programmes_days(world: World) -> None:
    member = await world.member()
    selection = "pointsEarned status { checkedInToday streakDays cycleDays nextReward }"
    answers = []
    for _ in range(8):
        answers.append(await world.do("checkIn", member, selection))
        world.clock.advance(days=1)
    assert [a["pointsEarned"] for a in answers] == [5, 5, 10, 10, 15, 15, 50, 5]
    assert answers[-1]["status"]["streakDays"] == 8
    month = world.clock.at.date().isoformat()
    document = "query ($month: Date!) { me { checkIn { checkedInToday streakDays calendar(month: $month) } } }"
    status = (await world.ask(document, member, month=month))["me"]["checkIn"]
    assert status["checkedInToday"] is False
    assert status["streakDays"] == 8
    assert len(status["calendar"]) == 8
    await assert_books_balance(world)


async def test_a_second_check_in_of_the_day_says_when_the_next_one_may_be_had(world: World) -> None:
    member = await world.member()
    world.clock.at = datetime(2026, 6, 1, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    await world.do("checkIn", member)
    document = """mutation ($key: ID!) { checkIn(input: {idempotencyKey: $key}) {
        ... on AlreadyCheckedInProblem { code nextAt } } }"""
    refused = (await world.ask(document, member, key=key()))["checkIn"]
    assert refused == {"code": "ALREADY_CHECKED_IN", "nextAt": "2026-06-01T16:00:00Z"}
    world.clock.advance(minutes=1)
    assert (await world.do("checkIn", member))["__typename"] == "CheckInSuccess"


async def test_twenty_check_ins_at_once_earn_once(world: World) -> None:
    member = await world.member()
    answers = await asyncio.gather(*(world.do("checkIn", member) for _ in range(20)))
    assert [a["__typename"] for a in answers].count("CheckInSuccess") == 1
    assert await world.database.pool.fetchval("SELECT available FROM points_accounts") == 5


async def test_anothers_points_are_out_of_reach(world: World) -> None:
    rich, other = await world.member("rich"), await world.member("other")
    await world.do("adjustPoints", OPERATOR, memberId=await member_id(world, rich), delta=5, reason="r")
    found = await world.ask("{ me { points { id expiring { id } transactions { nodes { id } } } } }", rich)
    points = found["me"]["points"]
    ids = [points["id"], points["transactions"]["nodes"][0]["id"]]
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await world.ask(document, other, ids=ids))["nodes"] == [None, None]
    assert (await world.ask(document, rich, ids=ids))["nodes"] == [{"id": i} for i in ids]
