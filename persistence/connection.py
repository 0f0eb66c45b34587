"""A connection of asyncpg's that costs less: nothing to reset, and a short way for statements that it knows."""

from typing import TYPE_CHECKING, Any

import asyncpg
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from asyncpg import Record

    _Connection = asyncpg.Connection[Record]
else:
    _Connection = asyncpg.Connection


class LeanConnection(_Connection):
    """A connection that is given back without a reset round trip: nothing here leaves session state behind.

    A statement that it has prepared before is run by one coroutine of Python's, where asyncpg has four. What that does
    is asyncpg's: the cache of statements is its own, and all that is out of the ordinary goes its way.
    """

    # asyncpg's own, which its stubs do not know.
    _protocol: Any
    _aborted: bool
    _top_xact: Any
    _config: Any
    _stmt_cache: Any
    _stmt_exclusive_section: Any
    _query_loggers: Any
    _check_open: Any
    _drop_global_statement_cache: Any

    @property
    def is_sound(self) -> bool:
        """Whether it is open, and no transaction was left open on it, nor one that asyncpg takes for open."""
        protocol = self._protocol
        is_open = not self._aborted and protocol.is_connected()
        return is_open and self._top_xact is None and not protocol.is_in_transaction()

    @property
    def statements_begun(self) -> int | None:
        """How many statements have begun on it; None where it is broken."""
        return None if self._protocol is None else self._protocol.queries_count  # counted as asyncpg's pool does

    @override
    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""

    @override
    async def reset(self, *, timeout: float | None = None) -> None:
        """Nothing to do either, unless a transaction was left open.

        One whose BEGIN failed is open to asyncpg alone, which would begin the next one with a SAVEPOINT.
        """
        if self.is_in_transaction() or self._top_xact is not None:
            await super().reset(timeout=timeout)

    @override
    def fetch(  # type: ignore[override]  # of its overloads, what statements use
        self, query: str, *args: object, timeout: float | None = None, record_class: "type[Record] | None" = None
    ) -> "Coroutine[Any, Any, list[Record]]":
        """All rows."""
        self._check_open()
        return self._execute(query, args, 0, timeout, record_class=record_class)

    async def _execute(
        self,
        query: str,
        args: "Sequence[object]",
        limit: int,
        timeout: float | None,  # noqa: ASYNC109  (as asyncpg has it)
        *,
        return_status: bool = False,
        ignore_custom_codec: bool = False,
        record_class: "type[Record] | None" = None,
    ) -> Any:
        protocol = self._protocol
        key = (query, record_class or protocol.get_record_class(), ignore_custom_codec)
        statement = self._stmt_cache.get(key)
        if statement is not None and timeout is None and not self._query_loggers and not self._config.command_timeout:
            try:
                with self._stmt_exclusive_section:
                    return await protocol.bind_execute(statement, args, "", limit, return_status, None)
            except asyncpg.OutdatedSchemaCacheError:
                await self.reload_schema_state()
                raise
            except (asyncpg.InvalidCachedStatementError, asyncpg.InvalidSQLStatementNameError):
                # Tables have changed since it was prepared; or the session has forgotten it (DISCARD ALL), and would be
                # of no use any more. It is prepared anew, unless its transaction has failed.
                self._drop_global_statement_cache()
                if self.is_in_transaction():
                    raise
        return await super()._execute(  # type: ignore[misc]  # as above
            query,
            args,
            limit,
            timeout,
            return_status=return_status,
            ignore_custom_codec=ignore_custom_codec,
            record_class=record_class,
        )
