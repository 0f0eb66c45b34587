"""A part of the demo programme, loaded: complete, balanced, repeatable, and good for the tour."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

import app.demo.source
from app.demo.people import ref_of
from app.demo.source import DemoUnavailable, find_files
from app.demo.standing import PART_HOUSEHOLDS, demo_is_wanted
from app.prepare import prepare_database
from domain.coupons.use_cases import ClaimCoupon, claim_coupons
from domain.points.policy import DEFAULT_POLICY
from domain.shared.idempotency import Done, Once
from domain.shared.ids import MemberId, TemplateId
from domain.shared.principal import Scope
from persistence.members.reads import SqlMemberReads
from persistence.showcase import find_showcase
from tests.app.demo_world import (
    HOUSEHOLDS,
    connected,
    contents,
    database_of,
    load_part,
    loaded,
    settings_of,
    value,
)
from tests.servers import drop_database, fresh_database

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def demo_url() -> Iterator[str]:
    url = fresh_database(template=loaded())
    yield url
    drop_database(url)


def source(sql: str) -> tuple[int, ...]:
    """A row of the files themselves, for the households of the part."""
    connection = duckdb.connect()
    try:
        folder = find_files()
        for name in ("transactions", "coupon_redemptions", "campaigns"):
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{name}.parquet' WHERE household_id IN "  # noqa: S608
                f"(SELECT DISTINCT household_id FROM '{folder}/transactions.parquet' ORDER BY 1 LIMIT {HOUSEHOLDS})"
            )
        row = connection.execute(sql).fetchone()
        assert row is not None
        return tuple(map(int, row))
    finally:
        connection.close()


async def test_every_basket_line_and_cent_of_the_source_is_there(demo_url: str) -> None:
    lines, baskets, paid = source(
        "SELECT count(*), count(DISTINCT basket_id),"
        " sum(greatest(0, round(sales_value * 100) - round(coupon_disc * 100))) FROM transactions"
    )
    async with connected(demo_url) as connection:
        orders = await connection.fetchrow("SELECT count(*), sum(paid_minor), sum(points_earned) FROM orders")
        of_lines = await connection.fetchrow("SELECT count(*), sum(payable_minor) FROM order_lines")
    assert orders is not None
    assert of_lines is not None
    assert (lines, paid) == tuple(of_lines)
    assert (baskets, paid) == (orders[0], orders[1])
    # Rounded down once an order; a tier adds to it.
    assert paid // 100 - baskets < orders[2] < 2 * paid // 100
    assert DEFAULT_POLICY.rate.per_minor == 100


async def test_every_redemption_of_the_source_is_there_with_what_was_seen_of_it(demo_url: str) -> None:
    redeemed, seen, matched = source(
        "SELECT (SELECT count(*) FROM coupon_redemptions), (SELECT sum(round(coupon_disc * 100)) FROM transactions),"
        " (SELECT sum(round(coupon_match_disc * 100)) FROM transactions)"
    )
    async with connected(demo_url) as connection:
        row = await connection.fetchrow(
            "SELECT count(*), sum((shares->>'PLATFORM')::bigint), sum((shares->>'MERCHANT')::bigint) FROM redemptions"
        )
    assert row is not None
    assert row[0] == redeemed > 50
    # Coupons from outside the campaigns are part of the price: no more is booked than was seen, but for what had to be
    # invented where nothing was.
    assert 0 < row[1] <= seen * 1.1
    assert 0 < row[2] <= matched


async def test_loading_again_changes_nothing_and_leaves_what_users_did(demo_url: str) -> None:
    member_id, template_id = await tour(demo_url)
    await claim(demo_url, member_id=member_id, template_id=template_id)
    before = await contents(demo_url)
    again = await load_part(demo_url)
    assert (again.members, again.lines, again.already_there) == (0, 0, HOUSEHOLDS)
    assert await contents(demo_url) == before


FACTS = """
    SELECT (SELECT md5(string_agg(concat_ws(',', order_ref, paid_minor, discount_minor, points_earned), ';'
                ORDER BY order_ref)) FROM orders),
        (SELECT md5(string_agg(concat_ws(',', product_ref, payable_minor, discount_minor), ';'
                ORDER BY product_ref, payable_minor, discount_minor)) FROM order_lines),
        (SELECT md5(string_agg(concat_ws(',', external_ref, available, tier_code), ';' ORDER BY external_ref))
            FROM members JOIN points_accounts USING (member_id) JOIN member_tiers USING (member_id)),
        (SELECT md5(string_agg(concat_ws(',', external_ref, state, claimed_at, template_id, ordinal), ';'
                ORDER BY external_ref, template_id, ordinal)) FROM members JOIN coupons USING (member_id)),
        (SELECT sum(remaining) FROM coupon_template_stock), (SELECT count(*) FROM events)
"""


async def test_a_larger_part_on_top_of_a_smaller_one_is_the_larger_part(database_url: str, demo_url: str) -> None:
    await load_part(database_url, households=7)
    added = await load_part(database_url)
    assert (added.members, added.already_there) == (HOUSEHOLDS - 7, 7)
    async with connected(database_url) as here, connected(demo_url) as there:
        assert await here.fetchrow(FACTS) == await there.fetchrow(FACTS)


async def test_a_load_that_was_killed_is_completed_by_the_next(database_url: str, demo_url: str) -> None:
    loader = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, sys, tests.app.demo_world as w\nfrom app.demo.load import load_demo\n"
        "asyncio.run(load_demo(w.settings_of(sys.argv[1]), full=False, slice_lines=1000, households=30,"
        " progress=lambda done, total: print(done, flush=True)))",
        database_url,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert loader.stdout is not None
    for _ in range(4):
        assert await loader.stdout.readline()
    loader.send_signal(signal.SIGKILL)
    await loader.wait()
    there = await value(database_url, "SELECT count(*) FROM members")
    assert 0 < there < HOUSEHOLDS
    assert await demo_is_wanted(settings_of(database_url)), "not all of the part is there"
    completed = await load_part(database_url)
    assert (completed.members, completed.already_there) == (HOUSEHOLDS - there, there)
    async with connected(database_url) as here, connected(demo_url) as whole:
        assert await here.fetchrow(FACTS) == await whole.fetchrow(FACTS)


async def test_two_loads_at_once_are_one(database_url: str, demo_url: str) -> None:
    await asyncio.gather(load_part(database_url), load_part(database_url))
    async with connected(database_url) as here, connected(demo_url) as whole:
        assert await here.fetchrow(FACTS) == await whole.fetchrow(FACTS)


async def test_a_household_that_registered_by_itself_is_left_alone(database_url: str) -> None:
    async with connected(database_url) as connection:
        await connection.execute(
            "INSERT INTO members (member_id, external_ref, locale, joined_at)"
            " VALUES (gen_random_uuid(), $1, 'zh-CN', now())",
            ref_of(1),
        )
    loaded_now = await load_part(database_url, households=2)
    assert (loaded_now.members, loaded_now.already_there) == (1, 1)


async def test_an_empty_database_wants_the_demo_unless_told_otherwise(database_url: str) -> None:
    settings = settings_of(database_url)
    assert await demo_is_wanted(settings)
    assert not await demo_is_wanted(settings.model_copy(update={"demo": False}))


async def test_a_database_with_members_of_its_own_does_not_want_the_demo(database_url: str) -> None:
    async with connected(database_url) as connection:
        await connection.execute(
            "INSERT INTO members (member_id, external_ref, locale, joined_at)"
            " VALUES (gen_random_uuid(), 'somebody', 'zh-CN', now())"
        )
    assert not await demo_is_wanted(settings_of(database_url))


def test_the_part_is_more_than_what_is_tested() -> None:
    assert PART_HOUSEHOLDS > HOUSEHOLDS


async def test_without_the_files_the_programme_starts_empty_and_says_so(
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(app.demo.source, "find_spec", lambda _name: None)
    with pytest.raises(DemoUnavailable, match="not installed"):
        find_files()
    settings = settings_of(database_url).model_copy(update={"redis_url": SecretStr(redis_url), "data_dir": tmp_path})
    await prepare_database(settings)
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == (
        "laurel: the demo programme is not installed: its dependency group is `demo` (pyproject.toml); starting empty"
    )
    assert await value(database_url, "SELECT count(*) FROM members") == 0


async def test_members_are_sealed_and_plainly_nobody(demo_url: str) -> None:
    async with connected(demo_url) as connection:
        ids = [MemberId(r["member_id"]) for r in await connection.fetch("SELECT member_id FROM members")]
    async with database_of(demo_url) as database:
        members = (await SqlMemberReads(database).members_by_id(ids, scope=Scope.system())).values()
    phones = {member.personal.phone for member in members if member.personal.phone}
    assert len(phones) == HOUSEHOLDS
    assert all(phone.startswith("+86123000") for phone in phones)
    assert all(member.personal.display_name for member in members)
    born = [member.personal.birthday for member in members if member.personal.birthday]
    assert 0 < len(born) < HOUSEHOLDS


async def test_the_tour_has_a_member_with_points_and_something_to_claim(demo_url: str) -> None:
    member_id, template_id = await tour(demo_url)
    points = await value(demo_url, "SELECT available FROM points_accounts WHERE member_id = $1", member_id)
    cheapest = await value(demo_url, "SELECT min(points_price) FROM rewards")
    assert points >= 2 * cheapest
    held = await value(demo_url, "SELECT count(*) FROM coupons WHERE member_id = $1", member_id)
    assert held > 0
    await claim(demo_url, member_id=member_id, template_id=template_id)


async def test_every_merchant_has_something_to_claim_today(demo_url: str) -> None:
    poor = await value(
        demo_url,
        "SELECT count(*) FROM merchants m WHERE NOT EXISTS (SELECT FROM stores s WHERE s.merchant_id = m.id) OR 3 >"
        " (SELECT count(*) FROM coupon_templates t JOIN campaigns c ON c.id = t.campaign_id"
        " WHERE t.merchant_id = m.id AND c.merchant_id = m.id AND c.state = 'RUNNING' AND t.claim_opens_at <= now()"
        " AND t.claim_closes_at > now())",
    )
    assert poor == 0
    assert await value(demo_url, "SELECT count(*) FROM merchants") > 10


async def tour(url: str) -> tuple[MemberId, TemplateId]:
    """The member and the template that a newcomer begins with."""
    async with database_of(url) as database:
        found = await find_showcase(database)
    assert found.member_ref == ref_of(1)
    assert found.member_id is not None
    assert found.template_id is not None
    assert found.store_id is not None
    return MemberId(found.member_id), TemplateId(found.template_id)


async def claim(url: str, *, member_id: MemberId, template_id: TemplateId) -> None:
    once = Once(caller_id=member_id, mutation="claimCoupon", key="first", input_hash=b"1" * 32)
    command = ClaimCoupon(template_id=template_id, member_id=member_id, scope=Scope.of_member(member_id), once=once)
    async with database_of(url) as database:
        (outcome,) = await claim_coupons([command], begin=lambda: database.begin(Scope.system()))
    assert isinstance(outcome, Done), outcome
