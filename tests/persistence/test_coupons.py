"""Coupons in PostgreSQL: expiry, wallets of any size, the second wall, invariants."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from domain.coupons.drafts import ScopeDraft, StackingDraft, template_of
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponKey, CouponOrder, Issue, TemplateQuery, WalletQuery, state_at
from domain.coupons.offer import CouponState
from domain.coupons.use_cases import expire_coupons
from domain.shared.ids import CouponId
from domain.shared.paging import PageRequest
from domain.shared.principal import Scope
from persistence.base import Statement, scope_params
from persistence.coupons import wallets as wallets_module
from persistence.coupons.invariants import CHECKS
from persistence.coupons.wallets import WALLET_PAGE, WALLET_PAGE_LIVE, WalletStatement
from persistence.invariants import SqlInvariants
from tests.coupon_world import PROGRAMME, World, claim, draft, member, merchant, world

FIRST = PageRequest(first=20)


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


async def sweep(laurel: World, *, limit: int = 1000) -> int:
    return await expire_coupons(limit=limit, begin=lambda: laurel.database.begin(Scope.system()))


async def test_the_sweep_moves_what_is_overdue_and_tells_its_members(laurel: World) -> None:
    await laurel.claim_set([claim(await laurel.published(), n) for n in range(1)])
    template_id = await laurel.published()
    await laurel.claim_set([claim(template_id, n) for n in range(3)])
    assert await sweep(laurel) == 0
    laurel.clock.advance(days=6, hours=12)  # 00:00 of 8 June in Shanghai
    assert await sweep(laurel) == 4
    assert await sweep(laurel) == 0
    assert {r["state"] for r in await laurel.rows("SELECT state FROM coupons")} == {"EXPIRED"}
    last = await laurel.rows("SELECT sequence, kind FROM events WHERE owner_id = $1 ORDER BY 1", member(0))
    assert [(r["sequence"], r["kind"]) for r in last] == [
        (1, "CLAIMED"),
        (2, "CLAIMED"),
        (3, "EXPIRED"),
        (4, "EXPIRED"),
    ]
    assert await SqlInvariants(laurel.database, checks=CHECKS).violations(limit=10) == []


async def test_a_sweep_takes_so_many_and_the_longest_overdue_first(laurel: World) -> None:
    first = await laurel.published()
    await laurel.claimed(first, 1)
    laurel.clock.advance(days=1)
    await laurel.claimed(first, 2)
    laurel.clock.advance(days=30)
    assert await sweep(laurel, limit=1) == 1
    (row,) = await laurel.rows("SELECT member_id FROM coupons WHERE state = 'EXPIRED'")
    assert row["member_id"] == member(1)


async def test_sweeps_at_once_expire_each_coupon_once(laurel: World) -> None:
    template_id = await laurel.published()
    await laurel.claim_set([claim(template_id, n) for n in range(50)])
    laurel.clock.advance(days=30)
    assert sum(await asyncio.gather(*(sweep(laurel) for _ in range(4)))) == 50
    assert await laurel.value("SELECT count(*) FROM events WHERE kind = 'EXPIRED'") == 50


async def test_what_was_used_meanwhile_is_not_swept(laurel: World) -> None:
    template_id = await laurel.published()
    await laurel.claim_set([claim(template_id, n) for n in range(2)])
    laurel.clock.advance(days=30)
    async with laurel.database.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE coupons SET state = 'REDEEMED' WHERE member_id = $1", member(1))
        sweeping = asyncio.create_task(sweep(laurel))
        await asyncio.sleep(0.2)
        assert not sweeping.done()
        await transaction.commit()
    assert await sweeping == 1
    assert await laurel.value("SELECT count(*) FROM events WHERE kind = 'EXPIRED'") == 1


async def test_lazy_expiry_and_the_sweep_and_the_filters_agree(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    everything = Scope.of_member(member(1))
    for hours in range(0, 24 * 20, 36):
        laurel.clock.advance(hours=hours and 36)
        await laurel.claimed(template_id)

    async def states() -> dict[Any, CouponState]:
        page = await laurel.reads.wallet_page(member(1), query=WalletQuery(), page=PageRequest(100), scope=everything)
        return {coupon.id: coupon.state for coupon in page.items}

    lazy = await states()
    for wanted in (frozenset({CouponState.CLAIMED}), frozenset({CouponState.EXPIRED})):
        for order in (CouponOrder.EXPIRES_SOONEST, CouponOrder.CLAIMED_LATEST):
            query = WalletQuery(states=wanted, order=order)
            page = await laurel.reads.wallet_page(member(1), query=query, page=PageRequest(100), scope=everything)
            assert {c.id for c in page.items} == {id_ for id_, state in lazy.items() if state in wanted}
    for row in await laurel.rows("SELECT id, state, valid_until FROM coupons"):
        at = laurel.clock.at
        assert state_at(CouponState(row["state"]), valid_until=row["valid_until"], at=at) is lazy[row["id"]]
    expired = sum(state is CouponState.EXPIRED for state in lazy.values())
    assert 0 < expired < len(lazy)
    counts = (await laurel.reads.wallet_counts([member(1)], scope=everything))[member(1)]
    assert (counts.claimed, counts.expired) == (len(lazy) - expired, expired)
    assert await sweep(laurel) == expired
    assert await states() == lazy


async def fill(laurel: World, number: int, coupons: int) -> None:
    """A wallet of so many coupons, one claimed every hour, each valid for seven days and swept when it is over."""
    template_id = await laurel.published(stock=coupons)
    await laurel.rows(
        """
        INSERT INTO coupons
          SELECT $1, gen_random_uuid(), $2, NULL, n, 'CODE', CASE WHEN n < 7 * 24 THEN 'CLAIMED' ELSE 'EXPIRED' END,
            'AMOUNT_OFF', '{"amountMinor": 500}', at, at::date, at, at + interval '7 days'
          FROM (SELECT n, $3::timestamptz - n * interval '1 hour' AS at FROM generate_series(1, $4) n) claims
        """,
        member(number),
        template_id,
        laurel.clock.at,
        coupons,
    )


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)


async def blocks(laurel: World, statement: Statement, number: int, order: CouponOrder) -> int:
    """How many blocks the statement touches: its cost, whatever else the machine does."""
    first_at, first_id = wallets_module._FIRST[order]
    params = {
        "member_id": member(number),
        "merchant_id": None,
        "states": ["CLAIMED", "RESERVED"],
        "after_at": first_at,
        "after_id": first_id,
        "limit": 21,
        "now": laurel.clock.at,
        **scope_params(Scope.of_member(member(number))),
    }
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.sql}"
    plan = await laurel.value(explained, *statement.arguments(params))
    top = (orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    kinds = {node["Node Type"] for node in nodes_of(top) if node.get("Relation Name") == "coupons"}
    assert kinds == {"Index Scan"}, "the page is walked along an index, as far as it goes"
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


@pytest.mark.parametrize("order", [CouponOrder.EXPIRES_SOONEST, CouponOrder.CLAIMED_LATEST])
@pytest.mark.parametrize("shape", [WALLET_PAGE, WALLET_PAGE_LIVE])
@pytest.mark.parametrize("beside_member", [False, True])
async def test_the_first_page_of_10000_coupons_costs_what_that_of_20_does(
    laurel: World, order: CouponOrder, shape: dict[CouponOrder, WalletStatement], beside_member: bool
) -> None:
    await laurel.add_members(1, 2)
    await fill(laurel, 1, 20)
    await fill(laurel, 2, 10_000)
    await laurel.rows("ANALYZE coupons")
    statement = shape[order].beside_member if beside_member else shape[order].whole
    small, large = [await blocks(laurel, statement, number, order) for number in (1, 2)]
    assert large <= small + 25, (small, large)  # 21 rows from as many blocks, against 21 from one


async def test_the_second_wall_shows_a_member_nothing_of_another(laurel: World) -> None:
    claimed = await laurel.claimed(await laurel.published(), 1)
    key = CouponKey(claimed.member_id, claimed.coupon_id)
    for scope, sees in (
        (Scope.of_member(member(1)), True),
        (Scope.system(), True),
        (Scope.of_member(member(2)), False),
        (Scope(everything=False, member_id=None, merchant_ids=(merchant(1),)), False),
        (Scope.nobody(), False),
    ):
        reads = laurel.reads
        page = await reads.wallet_page(member(1), query=WalletQuery(), page=FIRST, scope=scope)
        assert bool(page.items) is sees
        assert bool(await reads.coupons_by_key([key], scope=scope)) is sees
        assert bool(await reads.live_coupons(member(1), merchant_id=None, limit=10, scope=scope)) is sees
        assert bool(await reads.wallet_counts([member(1)], scope=scope)) is sees
        assert bool(await reads.wallet_sequences([member(1)], scope=scope)) is sees
        assert bool((await reads.coupon_events([key], page=FIRST, scope=scope))[key].items) is sees
        (row,) = await laurel.rows("SELECT template_id FROM coupons")
        standing = await reads.claim_standings([row["template_id"]], member_id=member(1), scope=scope)
        assert next(iter(standing.values())).claimed.total == int(sees)


async def test_the_second_wall_writes_no_coupon_beyond_the_scope(laurel: World) -> None:
    template_id = await laurel.published()
    async with laurel.database.begin(Scope.system()) as tx:
        locked = await tx.coupons.lock_template_stock(template_id)
        assert locked is not None
    claimed = await laurel.claimed(template_id, 1)
    period = locked.template.validity.of_claim(locked.at, zone=PROGRAMME.zone)
    issue = Issue(locked.template, claimed_at=locked.at, claimed_on=locked.at.date(), period=period)
    issue.add(CouponId(member(9)), member_id=member(1), ordinal=2)
    with pytest.raises(AssertionError, match="within the scope"):
        async with laurel.database.begin(Scope.of_member(member(2))) as tx:
            await tx.coupons.add(issue)
    async with laurel.database.begin(Scope.of_member(member(2))) as tx:
        laurel.clock.advance(days=30)
        assert await tx.coupons.overdue(limit=10) == []
        assert await tx.coupons.expire([CouponKey(claimed.member_id, claimed.coupon_id)]) == []


async def test_templates_of_a_list_are_the_newest_first_and_each_once(laurel: World) -> None:
    made = [await laurel.published() for _ in range(5)]
    seen: list[Any] = []
    after = None
    for _ in range(3):
        page = await laurel.reads.templates_page(
            TemplateQuery(), page=PageRequest(first=2, after=after), scope=Scope.nobody()
        )
        seen += [template.id for template in page.items]
        after = page.keys[-1]
    assert seen == made[::-1]


async def test_a_template_comes_back_as_it_was_written(laurel: World) -> None:
    given = draft(
        kind="PERCENT_OFF",
        terms={"payableBasisPoints": 8500, "maxDiscountMinor": 5000},
        scope=ScopeDraft(product_refs=["b", "a"], excluded_product_refs=["c"]),
        stacking=StackingDraft(lane=Lane.ITEM, tags=["x"], combines_with_tags=["y"], exclusive_group="g", priority=3),
        limit_per_member_per_day=1,
    )
    changed = {
        name: getattr(given, name) for name in ("kind", "terms", "scope", "stacking", "limit_per_member_per_day")
    }
    template_id = await laurel.create(**changed)
    found = await laurel.reads.templates_by_id([template_id], scope=Scope.system())
    assert found[template_id] == template_of(given, id=template_id)
