"""Strawberry as its manual shows it: SQLAlchemy's ORM, async resolvers, a DataLoader per nested type."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import DateTime, Text, Uuid, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from typing_extensions import override

from app.auth.verifier import Verifier, bearer_token
from app.keys import token_verifier
from app.settings import load_settings
from persistence.migrations import sqlalchemy_url

Sessions: TypeAlias = async_sessionmaker[AsyncSession]
RowT = TypeVar("RowT", bound="_Keyed")


class _Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), UUID: Uuid}  # noqa: RUF012 - SQLAlchemy's way


class _Keyed(_Base):
    __abstract__ = True
    id: Mapped[UUID] = mapped_column(primary_key=True)


class _MerchantRow(_Keyed):
    __tablename__ = "merchants"
    name: Mapped[str]


class _CampaignRow(_Keyed):
    __tablename__ = "campaigns"
    name: Mapped[str]
    merchant_id: Mapped[UUID]


class _TemplateRow(_Keyed):
    __tablename__ = "coupon_templates"
    name: Mapped[str]
    campaign_id: Mapped[UUID]


class _CouponRow(_Base):
    __tablename__ = "coupons"
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    template_id: Mapped[UUID]
    state: Mapped[str]
    claimed_at: Mapped[datetime]
    valid_until: Mapped[datetime]


class _MemberRow(_Base):
    __tablename__ = "members"
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_ref: Mapped[str]
    locale: Mapped[str]
    joined_at: Mapped[datetime]


@dataclass
class Context:
    """What resolvers share within a request."""

    subject: str | None
    sessions: Sessions
    templates: DataLoader[UUID, _TemplateRow]
    campaigns: DataLoader[UUID, _CampaignRow]
    merchants: DataLoader[UUID, _MerchantRow]


Info: TypeAlias = strawberry.Info[Context, None]


@strawberry.enum
class CouponState(Enum):
    """Where a coupon is in its life."""

    CLAIMED = "CLAIMED"
    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


@strawberry.type
class Merchant:
    """A merchant."""

    id: strawberry.ID
    name: str


@strawberry.type
class Campaign:
    """A campaign."""

    name: str
    merchant_id: strawberry.Private[UUID]

    @strawberry.field
    async def merchant(self, info: Info) -> Merchant:
        """Whose it is."""
        row = await info.context.merchants.load(self.merchant_id)
        return Merchant(id=strawberry.ID(str(row.id)), name=row.name)


@strawberry.type
class CouponTemplate:
    """A template."""

    name: str
    campaign_id: strawberry.Private[UUID]

    @strawberry.field
    async def campaign(self, info: Info) -> Campaign:
        """Which campaign it is of."""
        row = await info.context.campaigns.load(self.campaign_id)
        return Campaign(name=row.name, merchant_id=row.merchant_id)


@strawberry.type
class Coupon:
    """A coupon."""

    id: strawberry.ID
    state: CouponState
    valid_until: datetime
    template_id: strawberry.Private[UUID]

    @strawberry.field
    async def template(self, info: Info) -> CouponTemplate:
        """What it is a coupon of."""
        row = await info.context.templates.load(self.template_id)
        return CouponTemplate(name=row.name, campaign_id=row.campaign_id)


@strawberry.type
class CouponEdge:
    """A place in a page."""

    node: Coupon


@strawberry.type
class CouponConnection:
    """A page."""

    edges: list[CouponEdge]


@strawberry.type
class Wallet:
    """A member's coupons."""

    member_id: strawberry.Private[UUID]

    @strawberry.field
    async def coupons(self, info: Info, first: int = 20) -> CouponConnection:
        """Its coupons, the latest first."""
        latest_first = (_CouponRow.claimed_at.desc(), _CouponRow.id.desc())
        query = select(_CouponRow).where(_CouponRow.member_id == self.member_id).order_by(*latest_first).limit(first)
        async with info.context.sessions() as session:
            rows = await session.scalars(query)
            return CouponConnection(edges=[CouponEdge(node=_coupon(row)) for row in rows])


@strawberry.type
class Member:
    """A member."""

    id: strawberry.ID
    locale: str
    joined_at: datetime
    key: strawberry.Private[UUID]

    @strawberry.field
    def wallet(self) -> Wallet:
        """Its wallet."""
        return Wallet(member_id=self.key)


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    async def me(self, info: Info) -> Annotated[Member, strawberry.lazy("benchmarks.peers.idiomatic")] | None:
        """Who asks."""
        async with info.context.sessions() as session:
            query = select(_MemberRow).where(_MemberRow.external_ref == info.context.subject)
            row = (await session.scalars(query)).one_or_none()
        if row is None:
            return None
        return Member(
            id=strawberry.ID(str(row.member_id)), locale=row.locale, joined_at=row.joined_at, key=row.member_id
        )


def _coupon(row: _CouponRow) -> Coupon:
    expired = row.state == "CLAIMED" and row.valid_until <= datetime.now(row.valid_until.tzinfo)  # noqa: TID251
    return Coupon(
        id=strawberry.ID(str(row.id)),
        state=CouponState.EXPIRED if expired else CouponState(row.state),
        valid_until=row.valid_until,
        template_id=row.template_id,
    )


def _by_id(model: type[RowT], sessions: Sessions) -> Callable[[list[UUID]], Awaitable[list[RowT]]]:
    async def load(keys: list[UUID]) -> list[RowT]:
        async with sessions() as session:
            rows = {row.id: row for row in await session.scalars(select(model).where(model.id.in_(keys)))}
        return [rows[key] for key in keys]

    return load


class Endpoint(GraphQL[Context, None]):
    """The manual's ASGI view with a context."""

    def __init__(self, sessions: Sessions, verifier: Verifier) -> None:
        super().__init__(strawberry.Schema(Query))
        self._sessions = sessions
        self._verifier = verifier

    @override
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of one request."""
        del response
        authorization = request.headers.get("authorization")
        principal = None if authorization is None else await self._verifier.verify(bearer_token(authorization))
        return Context(
            subject=None if principal is None else principal.subject,
            sessions=self._sessions,
            templates=DataLoader(_by_id(_TemplateRow, self._sessions)),
            campaigns=DataLoader(_by_id(_CampaignRow, self._sessions)),
            merchants=DataLoader(_by_id(_MerchantRow, self._sessions)),
        )


def make_app() -> Starlette:
    """The application."""
    settings = load_settings()
    assert settings.database_url is not None
    url = sqlalchemy_url(settings.database_url.get_secret_value())
    engine = create_async_engine(url, pool_size=settings.database_pool, max_overflow=0)
    verifier = token_verifier(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await verifier.start()
        yield
        await verifier.aclose()
        await engine.dispose()

    endpoint = Endpoint(async_sessionmaker(engine, expire_on_commit=False), verifier)
    return Starlette(routes=[Route("/graphql", endpoint)], lifespan=lifespan)
