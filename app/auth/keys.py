"""Which key verifies a token: fixed keys, or a document that the issuer rotates."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextvars import Context
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Protocol

import structlog

from app.auth.key_document import KeyDocumentInvalid, VerificationKey, parse_key_document
from app.auth.reasons import Reason, TokenProblem
from domain.shared.errors import Unavailable

MOST_DOCUMENT_BYTES = 256 * 1024
MOST_WAITING = 100
LOAD_TIMEOUT_SECONDS = 5.0

log = structlog.get_logger(__name__)


class KeysUnreachable(Exception):
    """The document of keys could not be had. The message is one line."""


class Keys(Protocol):
    """Where the verifier finds the key that a token names."""

    @property
    def generation(self) -> int:
        """A number that changes whenever the set of keys does: what was verified before may no longer be valid."""
        ...

    def touch(self) -> None:
        """Renew in the background what has grown old; never waits, and costs nothing when there is nothing to do."""
        ...

    async def key_for(self, *, key_id: str | None, algorithm: str) -> VerificationKey:
        """The key of this id for this algorithm, or raise TokenProblem; Unavailable where no key is known at all."""
        ...

    async def start(self) -> None:
        """Load what there is to load; what cannot be loaded yet is tried again when it is asked for."""
        ...

    async def aclose(self) -> None:
        """Give up connections and background work."""
        ...


class KeySet:
    """Keys by id and algorithm: an algorithm is the key's own and never the token's choice."""

    __slots__ = ("_by_name", "_key_ids", "fingerprints")

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._by_name: dict[tuple[str | None, str], VerificationKey] = {}
        for key in keys:
            self._by_name.setdefault((key.key_id, key.algorithm), key)
        self._key_ids = frozenset(key_id for key_id, _ in self._by_name)
        self.fingerprints = frozenset(key.fingerprint for key in self._by_name.values())

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._by_name)

    def find(self, *, key_id: str | None, algorithm: str) -> VerificationKey | None:
        """The key, or None where the id is unknown; a known id under another algorithm raises TokenProblem."""
        if key_id is None:
            return self._only(algorithm)
        key = self._by_name.get((key_id, algorithm)) or self._by_name.get((None, algorithm))
        if key is None and not self._key_ids.isdisjoint((key_id, None)):
            raise TokenProblem(Reason.ALGORITHM, f"the key is not one for {algorithm}")
        return key

    def _only(self, algorithm: str) -> VerificationKey | None:
        candidates = [key for (_, its_algorithm), key in self._by_name.items() if its_algorithm == algorithm]
        if len(candidates) > 1:
            raise TokenProblem(Reason.UNKNOWN_KEY, "a token without `kid` while there are several keys")
        return candidates[0] if candidates else None


class FixedKeys:
    """Keys that never change while the process runs."""

    def __init__(self, document: bytes) -> None:
        self._keys = KeySet(parse_key_document(document))

    @property
    def generation(self) -> int:
        """Always the first."""
        return 0

    def touch(self) -> None:
        """Nothing grows old."""

    async def key_for(self, *, key_id: str | None, algorithm: str) -> VerificationKey:
        """The key, or raise TokenProblem."""
        key = self._keys.find(key_id=key_id, algorithm=algorithm)
        if key is None:
            raise TokenProblem(Reason.UNKNOWN_KEY, "no key of this id")
        return key

    async def start(self) -> None:
        """Nothing to load."""

    async def aclose(self) -> None:
        """Nothing to give up."""


class KeyDocument(Protocol):
    """A document of keys, somewhere."""

    async def load(self) -> bytes:
        """Its present content, or raise KeysUnreachable."""
        ...

    async def aclose(self) -> None:
        """Give up connections."""
        ...


class RotatingKeys:
    """The keys of a document that is loaded again when it grows old and when a token names a key that it does not hold.

    Loads are at least `interval_seconds` apart and one at a time, whatever tokens arrive. A token with an unknown key
    waits for the next load that begins after it arrived, so that a key used the moment it was published is not refused;
    an id that a load has just not found is refused at once. A load that fails keeps the keys there are.
    """

    def __init__(
        self,
        document: KeyDocument,
        *,
        ttl_seconds: float = 300.0,
        interval_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._document = document
        self._ttl_seconds = ttl_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._keys = KeySet(())
        self._generation = 0
        self._loads_begun = 0
        self._loads_ended = 0
        self._may_load_at = float("-inf")
        self._old_at = float("-inf")
        self._missing: set[str] = set()
        self._waiting = 0
        self._load_task: asyncio.Task[None] | None = None

    @property
    def generation(self) -> int:
        """How many times the set of keys has changed."""
        return self._generation

    def touch(self) -> None:
        """Begin a load in the background where the document has grown old."""
        if self._clock() >= self._old_at:
            self._loading()

    async def start(self) -> None:
        """Load the document for the first time; an issuer that cannot be reached yet is no reason not to start."""
        await asyncio.shield(self._loading())

    async def aclose(self) -> None:
        """Stop loading."""
        task, self._load_task = self._load_task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})
        await self._document.aclose()

    async def key_for(self, *, key_id: str | None, algorithm: str) -> VerificationKey:
        """The key, at once where it is known."""
        self.touch()
        needed = self._loads_begun + 1
        while (key := self._keys.find(key_id=key_id, algorithm=algorithm)) is None:
            if self._loads_ended >= needed or self._is_missing(key_id):
                self._remember_missing(key_id)
                raise TokenProblem(Reason.UNKNOWN_KEY, "no key of this id")
            await self._next_load()
        return key

    def _is_missing(self, key_id: str | None) -> bool:
        return (key_id or "") in self._missing and self._clock() < self._may_load_at

    def _remember_missing(self, key_id: str | None) -> None:
        if not self._keys:
            raise Unavailable("The keys of the token's issuer cannot be had.", retry_after_seconds=self._retry_after())
        self._missing.add(key_id or "")  # bounded: forgotten at each load, and at most MOST_WAITING ids wait for one

    async def _next_load(self) -> None:
        # Without any key nobody is kept waiting for the interval: the caller may as well come back.
        starved = not self._keys and self._clock() < self._may_load_at and not self._load_under_way()
        if starved or self._waiting >= MOST_WAITING:
            raise Unavailable("The keys of the token's issuer cannot be had.", retry_after_seconds=self._retry_after())
        self._waiting += 1
        try:
            await asyncio.shield(self._loading())
        finally:
            self._waiting -= 1

    def _retry_after(self) -> int:
        return max(1, ceil(self._may_load_at - self._clock()))

    def _load_under_way(self) -> bool:
        return self._loads_begun > self._loads_ended

    def _loading(self) -> asyncio.Task[None]:
        if self._load_task is None or self._load_task.done():
            # A context of its own: the load belongs to no request.
            self._load_task = asyncio.create_task(self._load(), name="token-keys", context=Context())
        return self._load_task

    async def _load(self) -> None:
        await asyncio.sleep(max(0.0, self._may_load_at - self._clock()))
        self._loads_begun += 1
        self._may_load_at = self._old_at = self._clock() + self._interval_seconds
        self._missing.clear()
        try:
            keys = KeySet(parse_key_document(await self._document.load()))
        except (KeysUnreachable, KeyDocumentInvalid) as error:
            log.warning("token_keys_not_loaded", reason=str(error), keys_kept=len(self._keys))
        else:
            self._old_at = self._clock() + self._ttl_seconds
            self._replace(keys)
        finally:
            self._loads_ended += 1

    def _replace(self, keys: KeySet) -> None:
        if not keys:
            log.error("token_keys_empty")
        if keys.fingerprints != self._keys.fingerprints:
            self._keys = keys
            self._generation += 1
            log.info("token_keys_changed", keys=len(keys))


class HttpKeyDocument:
    """A JWKS behind a URL: no redirects, a bounded answer, a bounded time."""

    def __init__(self, url: str, *, timeout_seconds: float = LOAD_TIMEOUT_SECONDS) -> None:
        import httpx  # with its command line a long import, for those alone whose keys are behind a URL

        self._url = url
        self._timeout_seconds = timeout_seconds
        self._unreachable = (httpx.HTTPError, httpx.InvalidURL, OSError)
        self._client = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False)

    async def load(self) -> bytes:
        """The document, or raise KeysUnreachable."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._read()
        except TimeoutError:
            raise KeysUnreachable(f"no answer within {self._timeout_seconds:g} s") from None
        except self._unreachable as error:
            raise KeysUnreachable(f"{type(error).__name__}: {error}") from error

    async def _read(self) -> bytes:
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        async with self._client.stream("GET", self._url, headers=headers) as response:
            if response.status_code != HTTPStatus.OK:
                raise KeysUnreachable(f"status {response.status_code}")
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MOST_DOCUMENT_BYTES:
                    raise KeysUnreachable(f"more than {MOST_DOCUMENT_BYTES} bytes")
            return bytes(content)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class FileKeyDocument:
    """A JWKS or PEM file, read anew so that it can be replaced while the process runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> bytes:
        """The content, or raise KeysUnreachable."""
        return await asyncio.to_thread(self.read)

    def read(self) -> bytes:
        """As `load`, for a start that ends at once where the file is unusable."""
        try:
            with self._path.open("rb") as file:
                content = file.read(MOST_DOCUMENT_BYTES + 1)
        except OSError as error:
            raise KeysUnreachable(f"{self._path}: {error.strerror}") from error
        if len(content) > MOST_DOCUMENT_BYTES:
            raise KeysUnreachable(f"{self._path}: more than {MOST_DOCUMENT_BYTES} bytes")
        return content

    async def aclose(self) -> None:
        """Nothing stays open."""
