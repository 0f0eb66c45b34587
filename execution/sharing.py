"""Regions that run side by side (one for each item of a list, say) ask a loader together."""

from asyncio import Future, get_running_loop, shield
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

Load = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
Answers = Mapping[Any, Any]


class Gathering:
    """The keys that regions ask of one loader until it is called.

    It is called when everything that was ready to run has had its turn, as aiodataloader does.
    """

    __slots__ = ("_answers", "_keys", "_load")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._keys: dict[Any, None] = {}
        self._answers: Future[Answers] = get_running_loop().create_future()

    async def ask(self, keys: Sequence[Any]) -> Answers:
        """The answers to these keys, and to all others that were asked along with them."""
        self._keys.update(dict.fromkeys(keys))
        return await shield(self._answers)

    async def call(self) -> None:
        """Call the loader, for all who asked."""
        answers = await answers_of(self._load, list(self._keys))
        if not self._answers.done():
            self._answers.set_result(answers)


class Gatherings:
    """The gatherings of one execution, by loader."""

    __slots__ = ("_background", "_open")

    def __init__(self, background: set[Future[Any]]) -> None:
        self._open: dict[int, Gathering] = {}
        self._background = background

    async def ask(self, loader_id: int, load: Load, keys: Sequence[Any]) -> Answers:
        """Ask a loader along with the other regions that do so now."""
        gathering = self._open.get(loader_id)
        if gathering is None:
            gathering = self._open[loader_id] = Gathering(load)
            loop = get_running_loop()
            loop.call_soon(loop.call_soon, self._call, loader_id)  # after those who are woken along with the first
        return await gathering.ask(keys)

    def _call(self, loader_id: int) -> None:
        task = get_running_loop().create_task(self._open.pop(loader_id).call())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def answers_of(load: Load, keys: Sequence[Any]) -> Answers:
    """The loader's answer to each key; a failure of the loader is the answer to each."""
    try:
        return dict(zip(keys, await load(keys), strict=True))
    except Exception as error:  # noqa: BLE001  (every failure of a field is an error of the response)
        return dict.fromkeys(keys, error)
