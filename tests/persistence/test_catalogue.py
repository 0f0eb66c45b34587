"""The catalogue of a process: all that is public and nothing else, fresh within a second whatever is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
import pytest_asyncio

from domain.campaigns.model import CampaignState
from domain.shared.ids import CampaignId, TemplateId
from domain.shared.principal import Scope
from persistence.catalogue import follower
from persistence.catalogue.edition import NOTHING_LISTED
from persistence.catalogue.follower import DEFAULT_PACE, Catalogue, Follower, FollowerPace
from persistence.catalogue.reads import MERCHANTS, REWARDS, STORES, TEMPLATES, version_now
from persistence.sessions import open_session
from tests.coupon_world import NAMES, NOON, World, world
from tests.network import Network
from tests.published_templates import change_published
from tests.queries import queries

BOUND_SECONDS = 1.0
NAME = "laurel catalogue"
# Every kind once for the version of what is there, once for its rows; and the version, before and within.
WHOLE_READ = 2 * 5 + 2


@pytest_asyncio.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def catalogue(laurel: World) -> Catalogue:
    """One that a test looks at when it likes; what a process shows must be confirmed again and again."""
    return Catalogue(clock=laurel.clock, trust_seconds=60)


@pytest_asyncio.fixture
async def kept_fresh(laurel: World) -> Catalogue:
    return Catalogue(clock=laurel.clock)


async def look(catalogue: Catalogue, laurel: World) -> bool:
    async with laurel.database.pool.acquire() as connection:
        return await catalogue.look(connection)


async def add_campaign(laurel: World, number: int = 1, *, state: str = "RUNNING", **period: Any) -> CampaignId:
    key = uuid5(NAMES, f"campaign {number}")
    starts_at, ends_at = period.get("starts_at", NOON - timedelta(1)), period.get("ends_at", NOON + timedelta(30))
    await laurel.database.pool.execute(
        "INSERT INTO campaigns (id, name, goal, state, starts_at, ends_at, created_at) "
        "VALUES ($1, $2, 'RETENTION', $3, $4, $5, now())",
        key,
        f"campaign {number}",
        state,
        starts_at,
        ends_at,
    )
    return CampaignId(key)


async def rename(laurel: World, template_id: TemplateId, name: str) -> None:
    await laurel.database.pool.execute("UPDATE coupon_templates SET name = $2 WHERE id = $1", template_id, name)


@dataclass(slots=True)
class Watch:
    """What a follower told."""

    failures: list[Exception] = field(default_factory=list)
    lapsed_seconds: float = 0.0

    def catalogue_read(self, *, version: int, things: int) -> None:
        del version, things

    def catalogue_lost(self, *, error: Exception) -> None:
        self.failures.append(error)

    def catalogue_lapsed(self, *, seconds: float) -> None:
        self.lapsed_seconds += seconds


@asynccontextmanager
async def followed(
    catalogue: Catalogue, url: str, pace: FollowerPace = DEFAULT_PACE, watch: Watch | None = None
) -> AsyncIterator["asyncio.Task[None]"]:
    following = Follower(
        catalogue, open_session=lambda: open_session(url, application_name=NAME), pace=pace, watch=watch
    )
    task = asyncio.create_task(following.run())
    try:
        await until(lambda: catalogue.version > 0)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> float:
    """Waits for the condition; how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def name_of(catalogue: Catalogue, template_id: TemplateId) -> str | None:
    listed = catalogue.current().templates.get(template_id)
    return None if listed is None else listed.thing.name


# ── what is listed ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_that_is_public_is_listed_and_no_draft(laurel: World, catalogue: Catalogue) -> None:
    merchant = await laurel.add_merchant(1)
    running, draft = await add_campaign(laurel, 1), await add_campaign(laurel, 2, state="DRAFT")
    published, drafted = await laurel.published(merchant_id=merchant), await laurel.create(merchant_id=merchant)
    assert await look(catalogue, laurel)
    edition = catalogue.current()
    assert set(edition.merchants) == {merchant}
    assert set(edition.campaigns) == {running}
    assert set(edition.templates) == {published}
    assert draft not in edition.campaigns
    assert drafted not in edition.templates
    found = await laurel.reads.templates_by_id([published], scope=Scope.nobody())
    assert edition.templates[published].thing == found[published], "what is listed is what is read"


async def test_a_row_that_cannot_be_read_is_not_listed_and_harms_no_other(laurel: World, catalogue: Catalogue) -> None:
    fine, strange = await laurel.published(), await laurel.published()
    sql = "UPDATE coupon_templates SET kind = 'OF_TOMORROW' WHERE id = $1"
    await change_published(laurel.database.pool, sql, strange)
    await look(catalogue, laurel)
    assert set(catalogue.current().templates) == {fine}


async def test_nothing_is_listed_before_the_first_look(catalogue: Catalogue) -> None:
    assert catalogue.current() is NOTHING_LISTED
    assert catalogue.version == 0


async def test_what_was_not_confirmed_for_long_is_not_shown(laurel: World) -> None:
    await laurel.published()
    catalogue = Catalogue(clock=laurel.clock, trust_seconds=0.05)
    await look(catalogue, laurel)
    assert catalogue.current().templates
    await asyncio.sleep(0.1)
    assert catalogue.current() is NOTHING_LISTED
    await look(catalogue, laurel)
    assert catalogue.current().templates, "and is shown again when it was"


async def test_a_period_moves_a_campaign_though_nothing_is_written(laurel: World, catalogue: Catalogue) -> None:
    soon = await add_campaign(laurel, state="SCHEDULED", starts_at=NOON + timedelta(hours=1))
    template = await laurel.published(campaign_id=None)
    await change_published(laurel.database.pool, "UPDATE coupon_templates SET campaign_id = $1", soon)
    await look(catalogue, laurel)
    versions = []
    for at, state in (
        (NOON, CampaignState.SCHEDULED),
        (NOON + timedelta(hours=1), CampaignState.RUNNING),
        (NOON + timedelta(days=30), CampaignState.ENDED),
        (NOON + timedelta(days=60), CampaignState.ENDED),
    ):
        laurel.clock.at = at
        edition = catalogue.current()
        assert edition.campaigns[soon].thing.state is state
        versions.append((edition.campaigns[soon].version, edition.templates[template].version))
    assert len(set(versions)) == 3, "a version for each state, of the campaign and of what refers to it"


# ── what a look costs ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_look_that_finds_nothing_new_is_one_statement(laurel: World, catalogue: Catalogue) -> None:
    await laurel.published()
    with queries(WHOLE_READ):
        assert await look(catalogue, laurel)
    with queries(1):
        assert not await look(catalogue, laurel)


async def test_only_what_has_changed_is_read_and_all_else_keeps_its_place(laurel: World, catalogue: Catalogue) -> None:
    first, second = await laurel.published(), await laurel.published()
    await look(catalogue, laurel)
    before = catalogue.current()
    await rename(laurel, first, "another")
    with queries(WHOLE_READ) as names:
        await look(catalogue, laurel)
    rows = {MERCHANTS.rows.name, STORES.rows.name, REWARDS.rows.name, TEMPLATES.rows.name, "catalogue_campaigns"}
    assert rows & set(names) == {TEMPLATES.rows.name}
    after = catalogue.current()
    assert after.templates[second] is before.templates[second]
    assert after.templates[first].version > before.templates[first].version
    assert after.templates[first].thing.name == "another"


async def test_a_thing_has_another_version_when_what_it_refers_to_has(laurel: World, catalogue: Catalogue) -> None:
    merchant = await laurel.add_merchant(1)
    template = await laurel.published(merchant_id=merchant)
    await look(catalogue, laurel)
    before = catalogue.current().templates[template]
    await laurel.database.pool.execute("UPDATE merchants SET name = 'another'")
    await look(catalogue, laurel)
    after = catalogue.current().templates[template]
    assert after.thing is before.thing
    assert after.version != before.version


async def test_a_transaction_raises_the_version_once_however_much_it_writes(laurel: World) -> None:
    async def version() -> int:
        found: int = await laurel.value("SELECT version FROM catalogue_version")
        return found

    before = await version()
    async with laurel.database.pool.acquire() as connection, connection.transaction():
        for number in range(3):
            await connection.execute(
                "INSERT INTO merchants (id, external_ref, name, created_at) VALUES ($1, $2, $2, now())",
                UUID(int=number),
                f"{number}",
            )
        await connection.execute("UPDATE merchants SET name = 'another'")
    assert await version() == before + 1


async def test_claims_do_not_touch_the_catalogue(laurel: World) -> None:
    template = await laurel.published()
    before = await laurel.value("SELECT version FROM catalogue_version")
    await laurel.claimed(template)
    assert await laurel.value("SELECT version FROM catalogue_version") == before


async def test_two_writers_of_the_catalogue_never_wait_for_each_other_in_a_ring(laurel: World) -> None:
    first, second = await add_campaign(laurel, 1), await add_campaign(laurel, 2)

    async def write(one: CampaignId, other: CampaignId) -> None:
        async with laurel.database.pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE campaigns SET name = name || '!' WHERE id = $1", one)
            await asyncio.sleep(0.05)
            await connection.execute("SELECT FROM coupon_templates WHERE campaign_id = $1 FOR UPDATE", other)

    await asyncio.gather(write(first, second), write(second, first))


# ── how soon a change is seen ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_change_is_told_at_once(laurel: World, kept_fresh: Catalogue, database_url: str) -> None:
    template = await laurel.published()
    async with followed(kept_fresh, database_url, replace(DEFAULT_PACE, poll_seconds=30.0)):
        await rename(laurel, template, "another")
        assert await until(lambda: name_of(kept_fresh, template) == "another") < BOUND_SECONDS


async def test_a_change_is_seen_in_time_though_its_notice_is_lost(
    laurel: World, kept_fresh: Catalogue, database_url: str
) -> None:
    template = await laurel.published()
    async with followed(kept_fresh, database_url):
        await laurel.database.pool.execute(
            "CREATE OR REPLACE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN UPDATE catalogue_version SET version = version + 1; RETURN NULL; END $$"
        )
        await rename(laurel, template, "another")
        assert await until(lambda: name_of(kept_fresh, template) == "another") < BOUND_SECONDS


async def test_a_killed_listener_costs_no_more_than_the_bound(
    laurel: World, kept_fresh: Catalogue, database_url: str
) -> None:
    template = await laurel.published()
    async with followed(kept_fresh, database_url) as task:
        for number in range(3):
            killed = await laurel.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = $1 AND datname = current_database()",
                NAME,
            )
            assert len(killed) == 1
            await rename(laurel, template, f"name {number}")
            took = await until(lambda expected=f"name {number}": name_of(kept_fresh, template) == expected)  # type: ignore[misc]
            assert took < BOUND_SECONDS
        assert not task.done()


async def shown_for(catalogue: Catalogue, template_id: TemplateId, name: str, *, seconds: float) -> float:
    """Looks for so long; for how much of it the name was shown."""
    began, last = time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        if name_of(catalogue, template_id) == name:
            last = time.monotonic() - began
        await asyncio.sleep(0.005)
    return last


async def test_a_session_that_hangs_shows_nothing_that_is_older_than_the_bound(
    laurel: World, kept_fresh: Catalogue, database_url: str
) -> None:
    template, watch = await laurel.published(), Watch()
    await rename(laurel, template, "old")
    async with Network(database_url).opened() as network, followed(kept_fresh, network.url, watch=watch):
        network.silence(new_ones_too=True)
        assert name_of(kept_fresh, template) == "old"
        await rename(laurel, template, "new")
        assert await shown_for(kept_fresh, template, "old", seconds=2 * BOUND_SECONDS) < BOUND_SECONDS
        assert kept_fresh.current() is NOTHING_LISTED, "everything is read from the database now"
        network.restore()
        await until(lambda: name_of(kept_fresh, template) == "new")
    assert watch.failures
    assert watch.lapsed_seconds > BOUND_SECONDS / 2, "and how long it was so is told"


async def test_a_session_that_hangs_is_given_up_for_another_within_the_bound(
    laurel: World, kept_fresh: Catalogue, database_url: str
) -> None:
    template, watch = await laurel.published(), Watch()
    async with Network(database_url).opened() as network, followed(kept_fresh, network.url, watch=watch) as task:
        for number in range(2):
            network.silence(new_ones_too=False)
            await rename(laurel, template, f"name {number}")
            took = await until(lambda expected=f"name {number}": name_of(kept_fresh, template) == expected)  # type: ignore[misc]
            assert took < BOUND_SECONDS
        assert network.connections >= 3, "those that hang are hanging still"
        assert not task.done()


async def test_an_answer_that_was_long_under_way_is_no_fresher_for_it(
    laurel: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await laurel.published()
    catalogue = Catalogue(clock=laurel.clock, trust_seconds=0.2)

    async def slowly(connection: Any) -> Any:
        answer = await version_now(connection)
        await asyncio.sleep(0.25)
        return answer

    await look(catalogue, laurel)
    monkeypatch.setattr(follower, "version_now", slowly)
    await look(catalogue, laurel)
    assert catalogue.current() is NOTHING_LISTED


async def test_a_machine_that_is_busy_for_half_the_bound_is_believed_all_along(
    laurel: World, kept_fresh: Catalogue, database_url: str
) -> None:
    template, watch = await laurel.published(), Watch()
    async with followed(kept_fresh, database_url, watch=watch):
        for _ in range(8):
            time.sleep(BOUND_SECONDS / 2)  # noqa: ASYNC251 - nothing else has a turn
            assert kept_fresh.current() is not NOTHING_LISTED
            assert name_of(kept_fresh, template) is not None
            await asyncio.sleep(0.1)
    assert watch.lapsed_seconds == 0.0


async def test_a_database_that_is_away_is_asked_again_until_it_is_there(laurel: World, database_url: str) -> None:
    catalogue, asked = Catalogue(clock=laurel.clock), 0

    async def reluctant() -> Any:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise OSError("away")
        return await open_session(database_url, application_name=NAME)

    task = asyncio.create_task(Follower(catalogue, open_session=reluctant).run())
    await until(lambda: catalogue.version > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asked == 4
