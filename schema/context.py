"""What a type may ask of the request that it is answered in."""

from collections.abc import Awaitable
from typing import Protocol, TypeAlias, TypeVar

import strawberry

from domain.members.model import Member
from domain.shared.ids import MemberId
from domain.shared.principal import Principal, Scope

K = TypeVar("K", contravariant=True)
V = TypeVar("V", covariant=True)


class Loader(Protocol[K, V]):
    """Gives one thing by its key; what is asked for together is read together."""

    def load(self, key: K) -> Awaitable[V]:
        """The thing."""
        ...


class Loaders(Protocol):
    """Every batch that types load through. Each is within the viewer's scope: what it may not see loads as None."""

    @property
    def members(self) -> Loader[MemberId, Member | None]:
        """Members by id."""
        ...


class Context(Protocol):
    """One request."""

    @property
    def principal(self) -> Principal | None:
        """Who asks; None is anonymous."""
        ...

    @property
    def scope(self) -> Scope:
        """How far that reaches."""
        ...

    @property
    def locale(self) -> str:
        """The locale to speak: zh-CN or en."""
        ...

    @property
    def load(self) -> Loaders:
        """The batches of this request."""
        ...


Info: TypeAlias = strawberry.Info["Context", None]
