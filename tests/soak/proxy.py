"""A network between server and database: every chunk takes 5 to 50 ms, in each direction, and none overtakes another.

`python -m tests.soak.proxy SOCKET MIN_MS MAX_MS SEED` prints the port that it listens on. A process of its own, so that
neither the load nor the servers are slowed by it.
"""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

REPOSITORY = Path(__file__).parents[2]
_CHUNK = 65_536


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delay: tuple[float, float], chance: random.Random
) -> None:
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    due = 0.0
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            due = max(due, loop.time() + chance.uniform(*delay))
            under_way.put_nowait((due, chunk))
    under_way.put_nowait((due, b""))
    with contextlib.suppress(OSError):
        await delivering
    writer.close()


async def _serve(socket: str, *, delay: tuple[float, float], seed: int) -> None:
    chance = random.Random(seed)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(socket)
        for one in (
            asyncio.create_task(_carry(reader, back, delay=delay, chance=chance)),
            asyncio.create_task(_carry(there, writer, delay=delay, chance=chance)),
        ):
            tasks.add(one)
            one.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the port, to whoever started this
    await server.serve_forever()


@contextlib.contextmanager
def slow_network(database_url: str, *, milliseconds: tuple[int, int] = (5, 50), seed: int = 1) -> Iterator[str]:
    """The URL of the same database behind a network, as long as the block lasts."""
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query)["host"][0]
    command = [sys.executable, "-m", "tests.soak.proxy", f"{folder}/.s.PGSQL.5432", *map(str, (*milliseconds, seed))]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        who = parts.netloc.rpartition("@")[0]
        yield urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{port}", query=""))
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    from persistence.embedded import die_with_parent

    die_with_parent()
    minimum, maximum, number = map(int, sys.argv[2:])
    asyncio.run(_serve(sys.argv[1], delay=(minimum / 1000, maximum / 1000), seed=number))
