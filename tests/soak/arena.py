"""Four server processes on a database of their own, many clients, and a look at what is really stored."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from app.jobs import ALL_CHECKS
from app.keys import redemption_tokens, token_issuer
from app.settings import Settings
from app.wiring import open_database
from persistence.invariants import SqlInvariants
from persistence.unit_of_work import Database
from tests.laurel import Laurel, running_laurel
from tests.soak.client import Client, Times
from tests.soak.proxy import slow_network
from tests.soak.report import Tally
from tests.soak.shop import Shop

VIOLATIONS: Final = 5
Done = TypeVar("Done")


@contextmanager
def four_processes(data_dir: Path, *, slow: bool, seed: int = 1) -> Iterator[Laurel]:
    """Laurel with four server processes; `slow`: 5 to 50 ms away from its database, each way."""
    with ExitStack() as stack:

        def behind_a_network(url: str) -> str:
            return stack.enter_context(slow_network(url, seed=seed)) if slow else url

        with running_laurel(data_dir, workers=4, reached=behind_a_network) as laurel:
            yield laurel


@dataclass(slots=True)
class Arena:
    """Where races are run. `clients` are as many connections as ask at once."""

    shop: Shop
    database: Database
    clients: Sequence[Client]

    async def at_once(self, asked: Sequence[Callable[[Client], Coroutine[Any, Any, Done]]]) -> list[Done]:
        """All of them, in order, as many at once as there are clients."""
        answers: dict[int, Done] = {}
        waiting = iter(enumerate(asked))

        async def work(client: Client) -> None:
            for place, ask in waiting:
                answers[place] = await ask(client)

        await asyncio.gather(*(work(client) for client in self.clients))
        return [answers[place] for place in range(len(asked))]

    async def rows(self, sql: str, *arguments: object) -> list[Any]:
        """What is stored."""
        return list(await self.database.pool.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: object) -> Any:
        """One value of what is stored."""
        return await self.database.pool.fetchval(sql, *arguments)

    async def sums_agree(self, tally: Tally) -> None:
        """Every invariant holds."""
        for violation in await SqlInvariants(self.database, checks=ALL_CHECKS).violations(limit=VIOLATIONS):
            tally.broken.append(f"{tally.scenario}: {violation.name}: {violation.detail}")


@asynccontextmanager
async def arena_of(laurel: Laurel, *, clients: int) -> AsyncIterator[Arena]:
    """An arena on a running Laurel."""
    settings = Settings(data_dir=laurel.data_dir, database_url=SecretStr(laurel.database_url))
    port = int(laurel.base.rpartition(":")[2])
    times = Times()
    own = [Client(port=port, times=times) for _ in range(clients)]
    async with open_database(settings) as database:
        shop = Shop(
            port=port,
            issuer=token_issuer(settings),
            redemption_tokens=redemption_tokens(settings),
            client=Client(port=port),
        )
        await shop.open()
        try:
            yield Arena(shop, database, own)
        finally:
            for client in (*own, shop.client):
                client.close()
