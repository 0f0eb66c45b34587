"""Rows to measure against: the same for every server and every run, made once and kept as a database.

Members own 20 coupons each, spread over the table as they are in life, of 20 of 1,000 templates, each of a campaign of
its own of 200 merchants. A few wallets are large. States agree with validities, so that no answer depends on the day.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.drafts import TemplateDraft, ValidityDraft, template_of
from domain.coupons.model import CouponTemplate, TemplateState
from domain.shared.ids import CampaignId, MerchantId, TemplateId
from persistence.campaigns.tables import campaigns
from persistence.coupons.rows import template_row
from persistence.coupons.tables import coupons, redemptions, template_stock, templates
from persistence.crypto import PersonalData
from persistence.members.people import TABLE
from persistence.members.tables import members
from persistence.merchants.tables import merchants
from persistence.migrations import head

if TYPE_CHECKING:
    from asyncpg import Connection, Record

    Session: TypeAlias = "Connection[Record]"

COUPONS_PER_MEMBER: Final = 20
MERCHANTS: Final = 200
TEMPLATES: Final = 1_000
# Templates without a limit per member, one for each measured round of claims, so that each begins with none claimed.
CLAIM_TEMPLATES: Final = 100
STOCK: Final = 1_000_000_000

_BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)
_BEGIN_MS: Final = int(_BEGIN.timestamp() * 1000)
_LONG_PAST: Final = "2025-03-01 00:00:00+00"
_FAR_AWAY: Final = datetime(2098, 1, 1, tzinfo=UTC)
_FAR_AWAY_TEXT: Final = "2098-01-01 00:00:00+00"
_CHUNK: Final = 5_000
_ODD: Final = 0x9E3779B97F4A7C15  # spreads consecutive numbers over 64 bits
_KINDS: Final = {"merchant": 1, "campaign": 2, "template": 3, "member": 4, "coupon": 5, "redemption": 6}
_COUPON: Final = _KINDS["coupon"]
_EAST: Final = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it."""

    name: str
    members: int
    large_wallets: int = 10
    coupons_of_large: int = 10_000

    @property
    def coupons(self) -> int:
        """All coupons."""
        return self.members * COUPONS_PER_MEMBER + self.large_wallets * self.coupons_of_large

    @property
    def database(self) -> str:
        """The name of its database: another one as soon as anything that makes it is another."""
        made_by = Path(__file__).read_bytes() + repr(self).encode() + head().encode()
        return f"bench_{self.name}_{hashlib.sha256(made_by).hexdigest()[:10]}"


FULL: Final = Size("full", members=100_000)
TENTH: Final = Size("tenth", members=10_000)
SMALL: Final = Size("small", members=2_000, large_wallets=2)
SMALL_TENTH: Final = Size("smaller", members=200, large_wallets=1)


def identity(kind: str, number: int) -> UUID:
    """The id of the thing of this kind and number: ordered by time, as ids of version 7 are."""
    return UUID(int=_identity(_KINDS[kind], number))


def _identity(kind: int, number: int) -> int:
    noise = (number * _ODD + kind) & 0xFFFF_FFFF_FFFF_FFFF
    return (_BEGIN_MS + number) << 80 | (0x7000 | kind) << 64 | 0b10 << 62 | noise >> 2


def member_ref(number: int) -> str:
    """The reference by which the token of a member names it."""
    return f"bench-{number:06d}"


def large_member(size: Size, number: int) -> int:
    """The number of a member whose wallet is large."""
    assert number < size.large_wallets
    return size.members + number


async def fill(database_url: str, *, size: Size, personal_data: PersonalData) -> None:
    """Writes all rows into a migrated, empty database."""
    session = await asyncpg.connect(
        database_url, server_settings={"synchronous_commit": "off", "maintenance_work_mem": "512MB", "timezone": "UTC"}
    )
    try:
        await _write_catalogue(session)
        await _copy(session, members, _MEMBER_COLUMNS, _member_lines(size, personal_data))
        rebuilt = await session.fetch(_CONSTRAINTS, coupons.name) + await session.fetch(_INDEXES, coupons.name)
        for row in reversed(rebuilt):
            await session.execute(row["without"])
        await _copy(session, coupons, _COUPON_COLUMNS, _coupon_lines(size))
        for row in rebuilt:
            await session.execute(row["again"])
        await session.execute(_COUNT_STOCK)
        await session.execute("VACUUM (ANALYZE)")
        await session.execute("CHECKPOINT")
    finally:
        await session.close()


# Keys and indexes are built once, when the rows are there.
_CONSTRAINTS: Final = """SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS without,
format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS again
FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u')"""
_INDEXES: Final = """SELECT format('DROP INDEX %s', i.indexrelid::regclass) AS without,
pg_get_indexdef(i.indexrelid) AS again FROM pg_index i WHERE i.indrelid = $1::text::regclass
AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"""
_COUNT_STOCK: Final = """UPDATE coupon_template_stock s SET remaining = s.total - c.taken
FROM (SELECT template_id, count(*) AS taken FROM coupons GROUP BY 1) c WHERE c.template_id = s.template_id"""


def seeded_template(number: int) -> CouponTemplate:
    """A published template; those from `TEMPLATES` on may be claimed without a limit."""
    campaign = number % TEMPLATES
    draft = TemplateDraft(
        name=f"满{20 + number % 80}减{5 + number % 10} 券 {number}",
        kind="THRESHOLD_AMOUNT_OFF",
        terms={"thresholdMinor": 100 * (20 + number % 80), "amountMinor": 100 * (5 + number % 10)},
        currency="CNY",
        campaign_id=CampaignId(identity("campaign", campaign)),
        merchant_id=MerchantId(identity("merchant", campaign % MERCHANTS)),
        stock=STOCK,
        limit_per_member=None,
        limit_per_member_per_day=None,
        claim_opens_at=_BEGIN,
        claim_closes_at=_FAR_AWAY,
        validity=ValidityDraft(days_after_claim=30),
    )
    template = template_of(draft, id=TemplateId(identity("template", number)))
    return replace(template, state=TemplateState.PUBLISHED)


async def _write_catalogue(session: "Session") -> None:
    await session.copy_records_to_table(
        merchants.name,
        columns=["id", "external_ref", "name", "created_at"],
        records=[(identity("merchant", n), f"bench-{n}", f"Merchant {n}", _BEGIN) for n in range(MERCHANTS)],
    )
    await session.copy_records_to_table(
        campaigns.name,
        columns=["id", "merchant_id", "name", "goal", "state", "starts_at", "ends_at", "created_at"],
        records=[
            (
                identity("campaign", n), identity("merchant", n % MERCHANTS), f"Campaign title number {n}",
                "RETENTION", "RUNNING", _BEGIN, _FAR_AWAY, _BEGIN,
            )
            for n in range(TEMPLATES)
        ],
    )  # fmt: skip
    everything = [seeded_template(n) for n in range(TEMPLATES + CLAIM_TEMPLATES)]
    rows = [{**template_row(each), "created_at": _BEGIN, "published_at": _BEGIN} for each in everything]
    columns = list(rows[0])
    await session.copy_records_to_table(
        templates.name, columns=columns, records=[tuple(_stored(templates, c, row[c]) for c in columns) for row in rows]
    )
    await session.copy_records_to_table(
        template_stock.name,
        columns=["template_id", "total", "remaining"],
        records=[(each.id, STOCK, STOCK) for each in everything],
    )
    await session.copy_records_to_table(
        redemptions.name,
        columns=[
            "member_id", "id", "coupon_id", "template_id", "merchant_id", "order_id", "order_ref", "currency",
            "discount_minor", "shares", "redeemed_at",
        ],
        records=[
            (
                identity("member", 0), identity("redemption", 0), identity("coupon", 0), identity("template", 0),
                identity("merchant", 0), identity("redemption", 1), "bench-1", "CNY", 500, '{"MERCHANT": 500}', _BEGIN,
            )
        ],
    )  # fmt: skip


def _stored(table: sa.Table, column: str, value: object) -> object:
    is_document = value is not None and isinstance(table.c[column].type, pg.JSONB)
    return orjson.dumps(value).decode() if is_document else value


def _member_lines(size: Size, personal_data: PersonalData) -> Iterator[str]:
    for number in range(size.members + size.large_wallets):
        id_ = identity("member", number)

        def sealed(column: str, text: str, owner_id: UUID = id_) -> str:
            return personal_data.encrypt(text, table=TABLE, column=column, owner_id=owner_id).hex()

        name, phone = sealed("display_name", f"会员 {number}"), sealed("phone", f"+86138{number:08d}")
        yield (
            f"{id_.hex}\t{member_ref(number)}\t\\\\x{name}\t\\\\x{phone}\tzh-CN\t{_BEGIN + timedelta(seconds=number)}\n"
        )


def _coupon_lines(size: Size) -> Iterator[str]:
    catalogue = [_TemplateText.of(seeded_template(n)) for n in range(TEMPLATES)]
    member_ids = [identity("member", n).hex for n in range(size.members + size.large_wallets)]
    number = 0
    for round_ in range(COUPONS_PER_MEMBER):
        for place in range(size.members):
            # Neighbours in the table belong to members far apart.
            owner = (place * 48_271 + round_ * 7) % size.members
            yield _coupon_line(number, member_ids[owner], catalogue[(owner * 7 + round_ * 37) % TEMPLATES], ordinal=1)
            number += 1
    for round_ in range(size.coupons_of_large):
        for large in range(size.large_wallets):
            text = catalogue[(large * 7 + round_ * 37) % TEMPLATES]
            yield _coupon_line(number, member_ids[size.members + large], text, ordinal=1 + round_ // TEMPLATES)
            number += 1


@dataclass(frozen=True, slots=True)
class _TemplateText:
    """What coupons take from their template, as COPY reads it."""

    ids: str
    terms: str

    @staticmethod
    def of(template: CouponTemplate) -> "_TemplateText":
        assert template.merchant_id is not None
        terms = orjson.dumps(template.coupon_kind.terms_to_json(template.terms)).decode()
        return _TemplateText(ids=f"{template.id.hex}\t{template.merchant_id.hex}", terms=f"{template.kind}\t{terms}")


# What the lines of members and of coupons hold; every other column is left to its default.
_MEMBER_COLUMNS: Final = ("member_id", "external_ref", "display_name", "phone", "locale", "joined_at")
_COUPON_COLUMNS: Final = (
    "member_id", "id", "template_id", "merchant_id", "ordinal", "code", "state", "kind", "terms", "claimed_at",
    "claimed_on", "valid_from", "valid_until",
)  # fmt: skip
_STATES: Final = ("CLAIMED", "REDEEMED", "EXPIRED")


def _coupon_line(number: int, member_id: str, template: _TemplateText, *, ordinal: int) -> str:
    state = _STATES[number % 3]
    at = _BEGIN + timedelta(seconds=number)
    claimed = f"{at:%Y-%m-%d %H:%M:%S}+00"
    until = _FAR_AWAY_TEXT if state == "CLAIMED" else _LONG_PAST
    # The day in the programme's zone, eight hours ahead; the code's alphabet is a superset of these digits.
    return (
        f"{member_id}\t{_identity(_COUPON, number):032x}\t{template.ids}\t{ordinal}\tB{number:011X}\t{state}\t"
        f"{template.terms}\t{claimed}\t{at + _EAST:%Y-%m-%d}\t{claimed}\t{until}\n"
    )


async def _copy(session: "Session", table: sa.Table, columns: Sequence[str], lines: Iterator[str]) -> None:
    await session.copy_to_table(table.name, source=_chunks(lines), columns=columns, format="text")


async def _chunks(lines: Iterator[str]) -> AsyncIterator[bytes]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _CHUNK:
            yield "".join(chunk).encode()
            chunk.clear()
            await asyncio.sleep(0)
    yield "".join(chunk).encode()
