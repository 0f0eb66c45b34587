"""The whole schema on a real database, asked as whoever a test wants to be."""

import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import strawberry
from graphql import GraphQLError

from app.auth.redemption import SignedRedemptionTokens
from app.executor import service_executor
from app.wiring import SqlReads
from domain.coupons.desk import ClaimDesk
from domain.coupons.giving import GivingDesk
from domain.coupons.model import StockLeft
from domain.members.use_cases import recognise_member
from domain.orders.lapsing import returner_of_points, sweeper_of_campaigns
from domain.rewards.desk import ExchangeDesk
from domain.shared.events import MissedEvents, StoredEvent
from domain.shared.ids import MemberId, MerchantId, StoreId, TemplateId
from domain.shared.principal import MerchantRole, Principal, Role, Scope
from domain.shared.programme import Programme
from execution import Result
from persistence.crypto import PersonalData, PersonalDataKeys
from persistence.engine import open_pool
from persistence.identity import TimeOrderedIds
from persistence.unit_of_work import Database, SqlUnitOfWork
from resolvers.access import Guard
from resolvers.context import NO_CATALOGUE, RequestContext
from resolvers.root import build_schema
from schema.context import Catalogue
from schema.node_ids import read_node_id
from tests.coupon_world import PROGRAMME, SetClock

SCHEMA: strawberry.Schema = build_schema()
# As the service runs documents: compiled, or by the reference with LAUREL_EXECUTION=reference.
EXECUTOR = service_executor(
    SCHEMA,
    mode="reference" if os.environ.get("LAUREL_EXECUTION") == "reference" else "compiled",
    on_error=lambda error: {"itself": error},
)
ISSUER = "tests"
TOKENS = SignedRedemptionTokens([b"3" * 32])
_keys = itertools.count()

OPERATOR = Principal(subject="operator", issuer=ISSUER, roles=frozenset({Role.OPERATOR}))
SERVICE = Principal(subject="orders", issuer=ISSUER, roles=frozenset({Role.SERVICE}))


def key() -> str:
    """An idempotency key that nothing else in this run has."""
    return f"key-{next(_keys)}"


def staff(
    merchant_id: UUID, *stores: UUID, role: MerchantRole = MerchantRole.OWNER, subject: str = "staff"
) -> Principal:
    """Staff of a merchant."""
    return Principal(
        subject=f"{subject}-{merchant_id}",
        issuer=ISSUER,
        roles=frozenset({Role.MERCHANT}),
        merchant_ids=frozenset({MerchantId(merchant_id)}),
        store_ids=frozenset(StoreId(s) for s in stores),
        merchant_role=role,
    )


def uuid_of(node_id: str) -> UUID:
    """The key inside a public id."""
    ref = read_node_id(node_id)
    assert ref is not None
    return ref.id


@dataclass(slots=True)
class Writing:
    """A mutation that has begun. Until its first transaction is over, nothing of it is decided."""

    is_decided: bool = False


writing: ContextVar[Writing | None] = ContextVar("writing", default=None)


def of_a_reader(catalogue_now: Callable[[], Catalogue]) -> Callable[[], Catalogue]:
    """A catalogue for whoever reads: a mutation that looks at it before it is decided has failed its test."""

    def current() -> Catalogue:
        now = writing.get()
        assert now is None or now.is_decided, "the catalogue is up to a second old: it decides no write"
        return catalogue_now()

    return current


@pytest.fixture(scope="session", autouse=True)
def no_write_is_decided_by_the_catalogue() -> Iterator[None]:
    """Every mutation of the whole suite is watched."""
    answer = Guard.resolve_async

    async def watched(self: Guard, next_: Callable[..., Any], source: Any, info: Any, **kwargs: Any) -> Any:
        token = writing.set(Writing() if self.writes else None)
        try:
            return await answer(self, next_, source, info, **kwargs)
        finally:
            writing.reset(token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guard, "resolve_async", watched)
        yield


@dataclass(frozen=True, slots=True)
class Answered:
    """What a document was answered with; errors as they were before they are written for a client."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError] | None

    @staticmethod
    def of(result: Result) -> "Answered":
        """The executor's result."""
        errors = [error["itself"] for error in result.errors or ()]
        return Answered(data=result.data, errors=errors or None)  # type: ignore[arg-type]


@dataclass(slots=True)
class World:
    """A database, a clock, and the schema on them."""

    database: Database
    clock: SetClock
    reads: SqlReads
    claims: ClaimDesk

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[SqlUnitOfWork]:
        """A transaction; when it is over, the mutation that began it is decided."""
        try:
            async with self.database.begin(scope) as tx:
                yield tx
        finally:
            if (now := writing.get()) is not None:
                now.is_decided = True

    def context(self, viewer: Principal | None, *, locale: str = "en") -> RequestContext:
        """The context of one request."""
        return_lapsed = returner_of_points(begin=self.database.begin)
        return RequestContext(
            principal=viewer,
            locale=locale,
            reads=self.reads,
            begin_within=self.begin,
            live=NoLive(),
            stocks=NoStocks(),
            claims=self.claims,
            giving=GivingDesk(begin=lambda: self.begin(Scope.system())),
            exchanges=ExchangeDesk(begin=lambda: self.begin(Scope.system()), return_lapsed=return_lapsed),
            redemption_tokens=TOKENS,
            programme=self.database.programme,
            sweep_campaign=sweeper_of_campaigns(begin=lambda: self.database.begin(Scope.system())),
            return_lapsed_points=return_lapsed,
            catalogue_now=of_a_reader(lambda: NO_CATALOGUE),
        )

    async def answer(
        self, document: str, viewer: Principal | None = None, *, locale: str = "en", **variables: Any
    ) -> Answered:
        """The whole answer, errors and all."""
        plan = EXECUTOR.prepare(document)
        return Answered.of(await EXECUTOR.execute(plan, variables, self.context(viewer, locale=locale)))

    async def ask(
        self, document: str, viewer: Principal | None = None, *, locale: str = "en", **variables: Any
    ) -> Mapping[str, Any]:
        """The data of an answer without errors."""
        answered = await self.answer(document, viewer, locale=locale, **variables)
        assert answered.errors is None, answered.errors
        assert answered.data is not None
        return answered.data

    async def codes(self, document: str, viewer: Principal | None = None, **variables: Any) -> list[str]:
        """The codes of an answer's top-level errors."""
        answered = await self.answer(document, viewer, **variables)
        return [getattr(e.original_error, "code", "INTERNAL") for e in answered.errors or ()]

    async def do(self, mutation: str, viewer: Principal, selection: str = "", **given: Any) -> Mapping[str, Any]:
        """Runs a mutation by name with its input; the answer's union member."""
        given.setdefault("idempotencyKey", key())
        kind = mutation[0].upper() + mutation[1:]
        document = (
            f"mutation Do($input: {kind}Input!) {{ {mutation}(input: $input) {{ __typename "
            f"... on Problem {{ code message }} ... on {kind}Success {{ replayed {selection} }} }} }}"
        )
        answered: Mapping[str, Any] = (await self.ask(document, viewer, input=given))[mutation]
        return answered

    async def member(self, ref: str = "li-lei") -> Principal:
        """A member's token, the member known."""
        member_id: MemberId = await recognise_member(
            ref, locale="zh-CN", begin=lambda: self.database.begin(Scope.system())
        )
        return Principal(subject=ref, issuer=ISSUER, roles=frozenset({Role.MEMBER}), member_id=member_id)

    async def merchant(self, ref: str = "tea") -> str:
        """A merchant's public id."""
        made = await self.do("createMerchant", OPERATOR, "merchant { id }", name=f"The {ref} shop", externalRef=ref)
        return str(made["merchant"]["id"])


class NoLive:
    """No events are pushed here: subscriptions are tested on real sockets."""

    async def listen(
        self, *, owner_id: UUID, stream: str, since: int | None = None
    ) -> AsyncGenerator[StoredEvent | MissedEvents, None]:
        """Nothing, for ever."""
        del owner_id, stream, since
        nothing: tuple[StoredEvent, ...] = ()
        for event in nothing:
            yield event


class NoStocks:
    """Nor is what is left of stocks."""

    async def listen(self, template_id: TemplateId) -> AsyncGenerator[StockLeft, None]:
        """Nothing, for ever."""
        del template_id
        nothing: tuple[StockLeft, ...] = ()
        for left in nothing:
            yield left


@asynccontextmanager
async def open_world(database_url: str, *, size: int = 8, programme: Programme = PROGRAMME) -> AsyncIterator[World]:
    """A world on a migrated database."""
    pool = await open_pool(database_url, size=size)
    clock = SetClock()
    database = Database(
        pool=pool,
        ids=TimeOrderedIds(),
        personal_data=PersonalData(PersonalDataKeys([("test", b"1" * 32)], b"2" * 32)),
        programme=programme,
        clock=clock,
    )
    try:
        claims = ClaimDesk(begin=lambda: database.begin_set(Scope.system()))
        yield World(database=database, clock=clock, reads=SqlReads.of(database), claims=claims)
    finally:
        await pool.close()


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A world of one test's own."""
    async with open_world(database_url) as opened:
        yield opened
