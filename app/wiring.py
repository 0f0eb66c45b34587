"""Every part of a process, made once and joined; no logic of its own."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from app.auth.redemption import SignedRedemptionTokens
from app.auth.verifier import Verifier, bearer_token
from app.jobs import periodic_jobs
from app.keys import personal_data, redemption_tokens, token_verifier
from app.live import Hub
from app.live_metrics import LiveMetrics
from app.settings import Settings
from app.stock_watch import StockWatch
from app.telemetry import Telemetry
from app.tracing import Tracing
from app.worker import Worker
from domain.coupons.desk import ClaimDesk
from domain.coupons.giving import GivingDesk
from domain.members.use_cases import recognise_member
from domain.orders.lapsing import SweepCampaign, returner_of_points, sweeper_of_campaigns
from domain.points.lapsed import ReturnLapsed
from domain.rewards.desk import ExchangeDesk
from domain.shared.ids import MemberId
from domain.shared.principal import Principal, Role, Scope
from domain.shared.programme import Programme
from domain.shared.repeats import UnderWay
from persistence.campaigns.reads import SqlCampaignReads
from persistence.catalogue.follower import Catalogue, Follower
from persistence.coupons.distribution_reads import SqlDistributionReads
from persistence.coupons.reads import SqlCouponReads
from persistence.engine import open_pool
from persistence.identity import TimeOrderedIds
from persistence.members.reads import SqlMemberReads
from persistence.merchants.reads import SqlMerchantReads
from persistence.orders.reads import SqlOrderReads
from persistence.orders.reservations import SqlReservationReads
from persistence.outbox import Relay, SqlEventLog
from persistence.points.reads import SqlPointsReads
from persistence.pool import LeanPool
from persistence.receipts import SqlReceiptReads
from persistence.recommendations.reads import SqlRecommendationReads
from persistence.redis.bus import Publisher, Subscriber
from persistence.redis.client import open_redis
from persistence.rewards.reads import SqlRewardReads
from persistence.sessions import open_session
from persistence.unit_of_work import Database
from resolvers.messages import locale_of

if TYPE_CHECKING:
    from asyncpg import Pool, Record

    from app.http.ports import RequestInfo
    from persistence.redis.client import Redis
    from resolvers.context import RequestContext

KNOWN_MEMBERS: Final = 100_000
# How far the metrics that other processes are asked for may be behind.
COUNTED_WITHIN_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class SqlReads:
    """Every slice's reads."""

    members: SqlMemberReads
    merchants: SqlMerchantReads
    campaigns: SqlCampaignReads
    coupons: SqlCouponReads
    orders: SqlOrderReads
    reservations: SqlReservationReads
    points: SqlPointsReads
    rewards: SqlRewardReads
    recommendations: SqlRecommendationReads
    receipts: SqlReceiptReads
    distribution: SqlDistributionReads

    @staticmethod
    def of(database: Database) -> "SqlReads":
        """The reads of one database."""
        return SqlReads(
            members=SqlMemberReads(database),
            merchants=SqlMerchantReads(database),
            campaigns=SqlCampaignReads(database),
            coupons=SqlCouponReads(database),
            orders=SqlOrderReads(database),
            reservations=SqlReservationReads(database),
            points=SqlPointsReads(database),
            rewards=SqlRewardReads(database),
            recommendations=SqlRecommendationReads(database),
            receipts=SqlReceiptReads(database),
            distribution=SqlDistributionReads(database),
        )


class Callers:
    """From a token to a caller: a member of a valid token is registered on first sight, and remembered here."""

    def __init__(self, *, verifier: Verifier, database: Database, known: int = KNOWN_MEMBERS) -> None:
        self._verifier = verifier
        self._database = database
        self._known = known
        self._members: OrderedDict[str, MemberId] = OrderedDict()

    async def authenticate(self, authorization: str | None) -> Principal | None:
        """The caller of an Authorization header; None without one. Raises Unauthenticated."""
        if authorization is None:
            return None
        token = bearer_token(authorization)
        principal = self._verifier.recall(token) or await self._verifier.verify(token)
        if principal.member_id is not None or Role.MEMBER not in principal.roles:
            return principal
        member = replace(principal, member_id=await self._member_of(principal.subject))
        self._verifier.complete(token, member)
        return member

    async def _member_of(self, subject: str) -> MemberId:
        known = self._members.get(subject)
        if known is None:
            known = await recognise_member(subject, locale="zh-CN", begin=lambda: self._database.begin(Scope.system()))
            self._members[subject] = known
            if len(self._members) > self._known:
                self._members.popitem(last=False)
        return known


@dataclass(frozen=True, slots=True)
class Core:
    """What requests, commands and jobs of one process share."""

    settings: Settings
    pool: "Pool[Record]"
    redis: "Redis"
    database: Database
    reads: SqlReads
    catalogue: Catalogue
    follower: Follower
    callers: Callers
    claims: ClaimDesk
    giving: GivingDesk
    exchanges: ExchangeDesk
    sweep_campaign: SweepCampaign
    return_lapsed_points: ReturnLapsed
    under_way: UnderWay
    redemption_tokens: SignedRedemptionTokens
    telemetry: Telemetry
    watch: LiveMetrics
    hub: Hub
    stock_watch: StockWatch
    relay: Relay
    worker: Worker

    async def make_context(self, info: "RequestInfo") -> "RequestContext":
        """The context of one operation over HTTP."""
        return self.context_of(info.principal, accept_language=info.accept_language)

    def context_of(self, principal: Principal | None, *, accept_language: str | None = None) -> "RequestContext":
        """The context of one operation."""
        return _request_context()(
            principal=principal,
            locale=locale_of(accept_language),
            reads=self.reads,
            begin_within=self.database.begin,
            live=self.hub,
            stocks=self.stock_watch,
            claims=self.claims,
            giving=self.giving,
            exchanges=self.exchanges,
            redemption_tokens=self.redemption_tokens,
            programme=self.database.programme,
            sweep_campaign=self.sweep_campaign,
            return_lapsed_points=self.return_lapsed_points,
            repeats=self.under_way,
            catalogue_now=self.catalogue.current,
        )

    async def check_database(self) -> None:
        """Raises unless PostgreSQL answers."""
        async with self.pool.acquire(timeout=1) as connection:
            await connection.fetchval("SELECT 1")

    async def check_redis(self) -> None:
        """Raises unless Redis answers."""
        await self.redis.ping()


@asynccontextmanager
async def open_core(settings: Settings, *, tracing: Tracing | None = None) -> AsyncIterator[Core]:
    """The parts of a process, closed in the reverse order of their making."""
    assert settings.database_url is not None, "given, or set by whoever started the embedded servers"
    assert settings.redis_url is not None, "as the database"
    url = settings.database_url.get_secret_value()
    telemetry = Telemetry(later=lambda write: asyncio.get_running_loop().call_later(COUNTED_WITHIN_SECONDS, write))
    watch = LiveMetrics(telemetry)
    pool = await open_pool(url, size=settings.database_pool, on_connect=tracing.instrument if tracing else None)
    redis = open_redis(settings.redis_url.get_secret_value())
    verifier = token_verifier(settings)
    await verifier.start()
    relay = Relay(
        open_session=lambda: open_session(url, application_name="laurel relay"), publisher=Publisher(redis), watch=watch
    )
    # Whoever relays hears of this process's commits at once, and of the others' by looking.
    database = _database(pool, settings=settings, on_commit=relay.wake)
    catalogue = Catalogue(clock=database.clock)
    async with pool.acquire() as connection:
        await catalogue.look(connection)
    claims = ClaimDesk(
        begin=lambda: database.begin_set(Scope.system()),
        observe=lambda size: telemetry.batch("claim_coupons", size=size),
    )
    giving = GivingDesk(
        begin=lambda: database.begin(Scope.system()),
        begin_set=lambda: database.begin_set(Scope.system(), tell_instant=True),
        observe=lambda size: telemetry.batch("redeem_codes", size=size),
    )
    reads = SqlReads.of(database)
    return_lapsed_points = returner_of_points(begin=database.begin)
    exchanges = ExchangeDesk(
        begin=lambda: database.begin_set(Scope.system(), tell_instant=True),
        observe=lambda size: telemetry.batch("exchange_points", size=size),
        return_lapsed=return_lapsed_points,
    )
    try:
        yield Core(
            settings=settings,
            pool=pool,
            redis=redis,
            database=database,
            reads=reads,
            catalogue=catalogue,
            follower=Follower(
                catalogue,
                open_session=lambda: open_session(url, application_name="laurel catalogue"),
                watch=watch,
            ),
            callers=Callers(verifier=verifier, database=database),
            claims=claims,
            giving=giving,
            exchanges=exchanges,
            sweep_campaign=sweeper_of_campaigns(begin=lambda: database.begin(Scope.system())),
            return_lapsed_points=return_lapsed_points,
            under_way=UnderWay(),
            redemption_tokens=redemption_tokens(settings),
            telemetry=telemetry,
            watch=watch,
            stock_watch=StockWatch(reads.coupons.stocks_left, watch=watch),
            hub=Hub(log=SqlEventLog(pool), bus=Subscriber(redis), watch=watch),
            relay=relay,
            worker=Worker(
                relay=relay,
                jobs=periodic_jobs(database, telemetry=telemetry),
                open_session=lambda: open_session(url, application_name="laurel jobs"),
                watch=watch,
            ),
        )
    finally:
        for desk in (claims, giving, exchanges):
            await desk.drain()
        await verifier.aclose()
        await redis.aclose()
        await pool.close()
        telemetry.write_down()


@asynccontextmanager
async def open_database(settings: Settings, *, size: int = 2) -> AsyncIterator[Database]:
    """The database alone, for commands and for what happens before the server processes start."""
    assert settings.database_url is not None, "given, or set by whoever started the embedded servers"
    pool = await open_pool(settings.database_url.get_secret_value(), size=size)
    try:
        yield _database(pool, settings=settings)
    finally:
        await pool.close()


@lru_cache(maxsize=1)
def _request_context() -> "type[RequestContext]":
    # Here, as the worker makes none: it would import the whole schema, and be back so much later.
    from resolvers.context import RequestContext

    return RequestContext


def _database(pool: LeanPool, *, settings: Settings, on_commit: Callable[[], None] | None = None) -> Database:
    return Database(
        pool=pool,
        ids=TimeOrderedIds(),
        personal_data=personal_data(settings),
        programme=Programme(
            zone=settings.zone,
            currency=settings.programme_currency,
            min_payable_minor=settings.programme_min_payable_minor,
        ),
        on_commit=on_commit,
    )
