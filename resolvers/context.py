"""One request: who asks, in which language, and through which doors data is read and written."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import strawberry

from domain.campaigns.model import CampaignQuery
from domain.coupons.desk import ClaimDesk
from domain.coupons.distribution_ports import DistributionTransaction
from domain.coupons.giving import GivingDesk
from domain.coupons.model import StockLeft, TemplateQuery
from domain.coupons.ports import RedemptionTokens
from domain.orders.lapsing import SweepCampaign
from domain.orders.ports import OrdersTransaction
from domain.points.lapsed import ReturnLapsed
from domain.recommendations.model import Placement, Recommendations
from domain.rewards.desk import ExchangeDesk
from domain.rewards.ports import RewardsTransaction
from domain.shared.errors import Refusal, Unauthenticated
from domain.shared.events import MissedEvents, StoredEvent
from domain.shared.idempotency import Repeats
from domain.shared.ids import MemberId, TemplateId
from domain.shared.paging import PageRequest
from domain.shared.principal import Principal, Scope
from domain.shared.programme import Programme
from resolvers.loaders import RequestLoaders
from schema.context import Catalogue, Reads
from schema.problems import Problem


class WholeTransaction(RewardsTransaction, OrdersTransaction, DistributionTransaction, Protocol):
    """Every slice's port at once: one unit of work satisfies them all."""


Begin: TypeAlias = Callable[[Scope], AbstractAsyncContextManager[WholeTransaction]]


class Live(Protocol):
    """The streams of events as they are committed."""

    def listen(
        self, *, owner_id: UUID, stream: str, since: int | None = None
    ) -> AsyncGenerator[StoredEvent | MissedEvents, None]:
        """The events of one stream, each once, in order: those after `since`, or after the moment of asking.

        Who asks for more than is replayed is told so first.
        """
        ...


class LiveStocks(Protocol):
    """Stocks as they are left."""

    def listen(self, template_id: TemplateId) -> AsyncGenerator[StockLeft, None]:
        """What is left of a stock: now, and whenever it has changed; of changes in a row the newest."""
        ...


@dataclass(frozen=True, slots=True)
class NoCatalogue:
    """Nothing is listed: everything is read."""

    def world(self, locale: str) -> None:  # noqa: ARG002 - as every catalogue has it
        """There is nothing to keep anything of."""
        return

    def campaigns_page(self, query: CampaignQuery, *, page: PageRequest) -> None:  # noqa: ARG002 - as above
        """It is read."""
        return

    def templates_page(self, query: TemplateQuery, *, page: PageRequest) -> None:  # noqa: ARG002 - as above
        """It is read."""
        return

    def rewards_page(self, *, page: PageRequest) -> None:  # noqa: ARG002 - as above
        """It is read."""
        return

    merchants: Mapping[Any, Any] = field(default_factory=dict)
    stores: Mapping[Any, Any] = field(default_factory=dict)
    campaigns: Mapping[Any, Any] = field(default_factory=dict)
    templates: Mapping[Any, Any] = field(default_factory=dict)
    rewards: Mapping[Any, Any] = field(default_factory=dict)


NO_CATALOGUE: Final = NoCatalogue()


@dataclass(slots=True)
class RequestContext:
    """The context of one GraphQL request. It holds no database session: root fields run side by side."""

    principal: Principal | None
    locale: str
    reads: Reads
    begin_within: Begin
    live: Live
    stocks: LiveStocks
    claims: ClaimDesk
    giving: GivingDesk
    exchanges: ExchangeDesk
    redemption_tokens: RedemptionTokens
    programme: Programme
    sweep_campaign: SweepCampaign | None = field(default=None)
    return_lapsed_points: ReturnLapsed | None = field(default=None)
    repeats: Repeats | None = field(default=None)
    catalogue_now: Callable[[], Catalogue] = field(default=lambda: NO_CATALOGUE)
    _loaders: RequestLoaders | None = field(default=None)
    _catalogue: Catalogue | None = field(default=None)

    @property
    def scope(self) -> Scope:
        """How far the caller reaches."""
        return Scope.nobody() if self.principal is None else self.principal.scope

    @property
    def managing_scope(self) -> Scope:
        """How far the caller reaches among what is planned and not yet public."""
        return Scope.nobody() if self.principal is None else self.principal.managing_scope

    @property
    def caller(self) -> Principal:
        """Who asks; UNAUTHENTICATED when nobody does."""
        if self.principal is None:
            raise Unauthenticated("send a token: Authorization: Bearer …")
        return self.principal

    @property
    def member_id(self) -> MemberId:
        """The member who asks; UNAUTHENTICATED when it is none."""
        member_id = self.caller.member_id
        if member_id is None:
            raise Unauthenticated("a member's token is needed")
        return member_id

    @property
    def load(self) -> RequestLoaders:
        """The batches of this request."""
        if self._loaders is None:
            self._loaders = RequestLoaders(self.reads, scope=self.scope, managing_scope=self.managing_scope)
        return self._loaders

    @property
    def catalogue(self) -> Catalogue:
        """What can be looked up without reading: the same for the whole request, until it forgets."""
        if self._catalogue is None:
            self._catalogue = self.catalogue_now()
        return self._catalogue

    async def recommend(self, member_id: MemberId, *, placement: Placement, limit: int) -> Recommendations:
        """What to show a member next."""
        from resolvers.recommendations import recommend

        return await recommend(self.reads, member_id=member_id, placement=placement, limit=limit, scope=self.scope)

    def forget(self) -> None:
        """Drops what was loaded: a mutation has changed the world."""
        self._loaders = None
        if self._catalogue is not NO_CATALOGUE:
            self._catalogue = None

    def leave_catalogue(self) -> None:
        """Reads everything from now on: the request writes what the catalogue lists, and shall see what it wrote."""
        self._catalogue = NO_CATALOGUE

    def problem_of(self, refusal: Refusal) -> Problem:
        """A refusal as the viewer sees it."""
        from resolvers.problems import problem_of

        return problem_of(refusal, locale=self.locale)

    def begin_managing(self) -> AbstractAsyncContextManager[WholeTransaction]:
        """One transaction within what the caller may plan and publish."""
        return self.begin_within(self.managing_scope)

    def begin(self) -> AbstractAsyncContextManager[WholeTransaction]:
        """One transaction within the caller's scope."""
        return self.begin_within(self.scope)


Info: TypeAlias = strawberry.Info[RequestContext, None]
