"""Every batch, on one page. A loader reads within the caller's scope; what it may not see loads as None."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from aiodataloader import DataLoader

if TYPE_CHECKING:
    from domain.members.model import Member
    from domain.shared.ids import MemberId
    from domain.shared.principal import Scope
    from resolvers.context import Reads

K = TypeVar("K")
V = TypeVar("V")

MAX_BATCH = 1000


class RequestLoaders:
    """The loaders of one request, made when first asked for."""

    def __init__(self, reads: Reads, *, scope: Scope) -> None:
        self._reads = reads
        self._scope = scope

    @cached_property
    def members(self) -> DataLoader[MemberId, Member | None]:
        """Members by id."""
        return by_key(lambda keys: self._reads.members.members_by_id(keys, scope=self._scope))


def by_key(read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[K, V | None]:
    """A loader over a read that answers with what it found, by key."""

    async def load_all(keys: Sequence[K]) -> list[V | None]:
        found = await read(keys)
        return [found.get(key) for key in keys]

    return DataLoader(batch_load_fn=load_all, max_batch_size=MAX_BATCH)
