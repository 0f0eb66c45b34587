"""Commands beside a running `serve`, or without one: they join its embedded servers, or start their own meanwhile."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from app.serve import CannotServe, embedded_settings, tell
from app.settings import Settings, SettingsError, settings_or_exit
from persistence.embedded import EmbeddedError, EmbeddedServers


@contextmanager
def reachable_settings(*, meanwhile: Callable[[], None] = lambda: None) -> Iterator[Settings]:
    """The settings, with the addresses of servers that answer; `meanwhile` is called while they are waited for."""
    settings = settings_or_exit()
    with EmbeddedServers(embedded_settings(settings), join=True, meanwhile=meanwhile) as urls:
        yield settings.model_copy(
            update={"database_url": SecretStr(urls.database_url), "redis_url": SecretStr(urls.redis_url)}
        )


def in_one_line(command: Callable[[], int]) -> int:
    """Runs a command; what stops it is told in one line, with status 1."""
    try:
        return command()
    except (CannotServe, EmbeddedError, SettingsError) as refused:
        tell(str(refused))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
