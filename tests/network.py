"""A network between a process and PostgreSQL that falls silent: nothing is closed, and nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

_CHUNK = 65_536


class Network:
    """Carries connections to one database, until `silence` makes those that there are hang, and perhaps new ones."""

    def __init__(self, database_url: str) -> None:
        self._parts = urlsplit(database_url)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._flowing = asyncio.Event()
        self._is_closed_to_new = False
        self.connections = 0
        self.url = ""

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        if self._is_closed_to_new:
            return
        flowing = self._flowing
        there, back = await asyncio.open_unix_connection(parse_qs(self._parts.query)["host"][0] + "/.s.PGSQL.5432")
        self._writers.append(back)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(_carry(source, target, flowing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def silence(self, *, new_ones_too: bool) -> None:
        """From now on nothing passes on the connections that there are."""
        self._flowing.clear()
        self._flowing, self._is_closed_to_new = asyncio.Event(), new_ones_too
        self._flowing.set()

    def restore(self) -> None:
        """New connections work; those that hang hang on."""
        self._is_closed_to_new = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Network"]:
        """The network, as long as the block lasts; its `url` is that of the database through it."""
        self._flowing.set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port, who = server.sockets[0].getsockname()[1], self._parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(self._parts._replace(netloc=f"{who}@127.0.0.1:{port}", query=""))
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK):
            await flowing.wait()
            target.write(chunk)
            await target.drain()
        await flowing.wait()
    target.close()
