"""A database with merchants, templates and members, and claims against it, for the tests of coupons."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from domain.campaigns.model import CampaignGoal
from domain.campaigns.use_cases import CreateCampaign, create_campaign
from domain.coupons.drafts import TemplateDraft, ValidityDraft
from domain.coupons.model import CouponClaimed
from domain.coupons.register import Register, history_of
from domain.coupons.rules import TEMPLATE_CHECKS
from domain.coupons.use_cases import (
    ClaimCoupon,
    ClaimOutcome,
    CreateCouponTemplate,
    PublishCouponTemplate,
    claim_coupons,
    create_coupon_template,
    publish_coupon_template,
)
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done, Once
from domain.shared.ids import CampaignId, MemberId, MerchantId, TemplateId
from domain.shared.principal import Scope
from domain.shared.programme import Programme
from persistence.coupons.reads import SqlCouponReads
from persistence.crypto import PersonalData, PersonalDataKeys
from persistence.engine import open_pool
from persistence.identity import TimeOrderedIds
from persistence.unit_of_work import Database, SqlUnitOfWork

NAMES = UUID("0b6f4a52-58a5-4d06-9d7c-0c7a3f6f2c11")
PROGRAMME = Programme(zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
OPENS_AT = datetime(2026, 1, 1, tzinfo=UTC)
CLOSES_AT = datetime(2027, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 6, 1, 4, tzinfo=UTC)  # 12:00 in Shanghai
keys = itertools.count()


class SetClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


def member(number: int) -> MemberId:
    return MemberId(uuid5(NAMES, f"member {number}"))


def merchant(number: int) -> MerchantId:
    return MerchantId(uuid5(NAMES, f"merchant {number}"))


def once(caller: UUID, *, key: str | None = None, mutation: str = "claimCoupon", content: bytes = b"1") -> Once:
    return Once(caller_id=caller, mutation=mutation, key=key or f"k{next(keys)}", input_hash=content.ljust(32))


def draft(**changed: Any) -> TemplateDraft:
    plain = TemplateDraft(
        name="满100减20",
        kind="THRESHOLD_AMOUNT_OFF",
        terms={"thresholdMinor": 10000, "amountMinor": 2000},
        currency="CNY",
        campaign_id=None,
        merchant_id=None,
        stock=100,
        limit_per_member=1,
        limit_per_member_per_day=None,
        claim_opens_at=OPENS_AT,
        claim_closes_at=CLOSES_AT,
        validity=ValidityDraft(days_after_claim=7),
    )
    return replace(plain, **changed)


@dataclass(frozen=True, slots=True)
class World:
    """A database and what tests do with it."""

    database: Database
    clock: SetClock

    @property
    def reads(self) -> SqlCouponReads:
        return SqlCouponReads(self.database)

    async def rows(self, sql: str, *arguments: object) -> list[Any]:
        return list(await self.database.pool.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: object) -> Any:
        return await self.database.pool.fetchval(sql, *arguments)

    async def add_merchant(self, number: int) -> MerchantId:
        await self.database.pool.execute(
            "INSERT INTO merchants (id, external_ref, name, created_at) VALUES ($1, $2, $2, now())",
            merchant(number),
            f"merchant {number}",
        )
        return merchant(number)

    async def add_members(self, *numbers: int) -> list[MemberId]:
        await self.database.pool.executemany(
            "INSERT INTO members (member_id, external_ref, locale, joined_at) VALUES ($1, $2, 'en', now())",
            [(member(number), f"m{number}") for number in numbers],
        )
        return [member(number) for number in numbers]

    async def add_campaign(self, number: int = 1, *, limit_per_member: int | None = None) -> CampaignId:
        command = CreateCampaign(
            name="618",
            goal=CampaignGoal.RETENTION,
            merchant_id=None,
            starts_at=OPENS_AT,
            ends_at=CLOSES_AT,
            budget=None,
            once=once(NAMES, mutation="createCampaign", key=f"campaign {number}"),
            limit_per_member=limit_per_member,
        )
        done = await create_campaign(command, begin=lambda: self.database.begin(Scope.system()))
        await self.rows("UPDATE campaigns SET state = 'RUNNING' WHERE id = $1", done.result.campaign_id)
        return done.result.campaign_id

    async def create(self, **changed: Any) -> TemplateId:
        command = CreateCouponTemplate(draft(**changed), once(NAMES, mutation="createCouponTemplate"))
        done = await create_coupon_template(command, begin=lambda: self.database.begin(Scope.system()))
        return done.result.template_id

    async def publish(self, template_id: TemplateId) -> None:
        command = PublishCouponTemplate(template_id, once(NAMES, mutation="publishCouponTemplate"))
        await publish_coupon_template(command, begin=lambda: self.database.begin(Scope.system()))

    async def published(self, **changed: Any) -> TemplateId:
        template_id = await self.create(**changed)
        await self.publish(template_id)
        return template_id

    async def claim_set(self, commands: Sequence[ClaimCoupon]) -> Sequence[ClaimOutcome]:
        return await claim_coupons(commands, begin=lambda: self.database.begin_set(Scope.system()))

    async def claim(self, template_id: TemplateId, number: int = 1, *, key: str | None = None) -> ClaimOutcome:
        return (await self.claim_set([claim(template_id, number, key=key)]))[0]

    async def claimed(self, template_id: TemplateId, number: int = 1) -> CouponClaimed:
        outcome = await self.claim(template_id, number)
        assert isinstance(outcome, Done), outcome
        return outcome.result


async def issue(tx: SqlUnitOfWork, template_id: TemplateId, *, number: int, count: int) -> int:
    """Coupons for a member within a transaction that does more, as an exchange of points: all of them, or none."""
    locked = await tx.coupons.lock_template_stock(template_id)
    history = await history_of(tx, locked, template_id=template_id, member_ids=[member(number)])
    assert locked is not None
    register = Register(locked, counts=history.counts, programme=tx.programme, ids=tx.ids, gates=TEMPLATE_CHECKS)
    refusal = register.refusal_of(member(number), count=count)
    if refusal is not None:
        raise refusal
    decided = [register.decide(member(number)) for _ in range(count)]
    assert not any(isinstance(one, Refusal) for one in decided)
    await register.write(tx)
    return len(decided)


def claim(
    template_id: TemplateId, number: int = 1, *, key: str | None = None, content: bytes | None = None
) -> ClaimCoupon:
    who = member(number)
    asked = once(who, key=key, content=content or template_id.bytes)
    return ClaimCoupon(template_id=template_id, member_id=who, scope=Scope.of_member(who), once=asked)


@asynccontextmanager
async def world(
    url: str, *, size: int = 4, clock: SetClock | None = None, programme: Programme = PROGRAMME
) -> AsyncIterator[World]:
    """The world on a migrated database; at noon unless told."""
    set_clock = clock or SetClock()
    pool = await open_pool(url, size=size)
    personal_data = PersonalData(PersonalDataKeys([("a", b"1" * 32)], b"2" * 32))
    try:
        yield World(Database(pool, TimeOrderedIds(), personal_data, programme, set_clock), set_clock)
    finally:
        await asyncio.wait_for(pool.close(), 10)
