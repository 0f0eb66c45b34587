"""The catalogue's rows: all that is public, of which a reader that has some reads the changed ones alone.

A row's revision is the transaction that wrote it (`xmin`): comparing revisions finds whatever changed, however it did.
"""

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.campaigns.model import Campaign
from domain.coupons.model import CouponTemplate
from domain.merchants.model import Merchant, Store
from domain.rewards.model import Reward
from domain.shared.ids import CampaignId, MerchantId, RewardId, StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, scope_params, within_scope
from persistence.campaigns.rows import campaign_of
from persistence.campaigns.tables import campaigns
from persistence.catalogue.tables import catalogue_version
from persistence.coupons.rows import template_of
from persistence.coupons.tables import templates
from persistence.merchants.reads import merchant_of, store_of
from persistence.merchants.tables import merchants, stores
from persistence.rewards.tables import rewards
from persistence.rewards.writes import reward_of

LOGGER: Final = logging.getLogger(__name__)
# Of each kind the newest so many are listed; what is not listed is read from PostgreSQL as anything else.
MOST_LISTED: Final = 50_000
_MOST = sa.bindparam("most", type_=sa.Integer)
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_PUBLIC_CAMPAIGN = sa.or_(campaigns.c.state != "DRAFT", within_scope(merchant=campaigns.c.merchant_id))
_PUBLIC_TEMPLATE = sa.or_(
    templates.c.state == sa.literal_column("'PUBLISHED'"), within_scope(merchant=templates.c.merchant_id)
)

CATALOGUE_VERSION = Statement(
    "catalogue_version", sa.select(catalogue_version.c.version, sa.func.clock_timestamp().label("at"))
)

Thing = TypeVar("Thing")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Stored(Generic[Thing]):
    """A thing as it is stored, and the revision of its row."""

    thing: Thing
    revision: int


class Kind(Generic[Key, Thing]):
    """One kind of thing in the catalogue: which rows are public, and what they are."""

    def __init__(
        self, table: sa.Table, *, public: sa.ColumnElement[bool] | None, thing_of: Callable[[Row], Thing]
    ) -> None:
        revision = sa.literal_column(f"{table.name}.xmin::text::bigint", sa.BigInteger).label("revision")
        wanted = sa.true() if public is None else public
        self.revisions = Statement(
            f"catalogue_revisions_of_{table.name}",
            sa.select(table.c.id, revision).where(wanted).order_by(table.c.id.desc()).limit(_MOST),
        )
        self.rows = Statement(f"catalogue_{table.name}", sa.select(table).where(table.c.id == sa.any_(_IDS), wanted))
        self._thing_of = thing_of

    async def read(self, connection: Conn, known: Mapping[Key, Stored[Thing]]) -> Mapping[Key, Stored[Thing]]:
        """All of the kind; `known` itself when nothing has changed."""
        public = scope_params(Scope.nobody())
        found = await self.revisions.fetch(connection, {"most": MOST_LISTED, **public})
        revisions: dict[Key, int] = {row["id"]: row["revision"] for row in found}
        changed = [key for key, revision in revisions.items() if key not in known or known[key].revision != revision]
        if not changed and len(known) == len(revisions):
            return known
        rows = await self.rows.fetch(connection, {"ids": changed, **public}) if changed else []
        new: dict[Key, Stored[Thing]] = {}
        for row in rows:
            try:
                new[row["id"]] = Stored(self._thing_of(row), revisions[row["id"]])
            except (KeyError, TypeError, ValueError):
                # Written by a newer version of the program, perhaps: whoever asks for it meets the error, nobody else.
                LOGGER.exception("a row of %s is not listed: %s", self.rows.name, row["id"])
        unchanged = {key: stored for key, stored in known.items() if revisions.get(key) == stored.revision}
        return {key: stored for key in revisions if (stored := new.get(key) or unchanged.get(key)) is not None}


MERCHANTS: Final = Kind[MerchantId, Merchant](merchants, public=None, thing_of=merchant_of)
STORES: Final = Kind[StoreId, Store](stores, public=None, thing_of=store_of)
CAMPAIGNS: Final = Kind[CampaignId, Campaign](campaigns, public=_PUBLIC_CAMPAIGN, thing_of=campaign_of)
TEMPLATES: Final = Kind[TemplateId, CouponTemplate](templates, public=_PUBLIC_TEMPLATE, thing_of=template_of)
REWARDS: Final = Kind[RewardId, Reward](rewards, public=None, thing_of=reward_of)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is public, as it is stored: campaigns are in the state that was written, whatever the hour."""

    version: int = 0
    merchants: Mapping[MerchantId, Stored[Merchant]] = field(default_factory=dict)
    stores: Mapping[StoreId, Stored[Store]] = field(default_factory=dict)
    campaigns: Mapping[CampaignId, Stored[Campaign]] = field(default_factory=dict)
    templates: Mapping[TemplateId, Stored[CouponTemplate]] = field(default_factory=dict)
    rewards: Mapping[RewardId, Stored[Reward]] = field(default_factory=dict)


async def version_now(connection: Conn) -> tuple[int, datetime]:
    """The catalogue's version, and PostgreSQL's clock."""
    row = await CATALOGUE_VERSION.row(connection, {})
    assert row is not None, "the migration that made the table put its row there"
    return row["version"], row["at"]


async def read_facts(connection: Conn, known: Facts) -> Facts:
    """The catalogue of one instant; what `known` has of it is not read again."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version, _ = await version_now(connection)
        return Facts(
            version=version,
            merchants=await MERCHANTS.read(connection, known.merchants),
            stores=await STORES.read(connection, known.stores),
            campaigns=await CAMPAIGNS.read(connection, known.campaigns),
            templates=await TEMPLATES.read(connection, known.templates),
            rewards=await REWARDS.read(connection, known.rewards),
        )
