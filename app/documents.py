"""Trusted and persisted documents: a request may name a document by its hash instead of sending it.

Two ways in: `python -m app documents add` (trusted, in the database, for all processes and for good), and
registration by a client in Apollo's form (where allowed; in this process, bounded, forgotten with it: the client then
sends the text once more).
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from domain.shared.errors import BadUserInput, CallerError, Forbidden

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = "sha256:"
KNOWN_DOCUMENTS: Final = 2_000
MISS_SECONDS: Final = 5.0


class PersistedQueryNotFound(CallerError):
    """No document has this hash; the client may send the text along. Apollo's clients read the message."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class TrustedDocuments(Protocol):
    """Where trusted documents are kept."""

    async def find(self, digest: str) -> str | None:
        """The text whose SHA-256 this is, in hexadecimal; None if it was never added."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A text to run. A trusted one was added by an operator, so that its names may label metrics."""

    text: str
    trusted: bool


def digest_of(text: str) -> str:
    """The SHA-256 of a document, in hexadecimal: its name for clients."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_in(document_id: str | None, extensions: Mapping[str, object]) -> str | None:
    """The hash that a request names, by `documentId` (sha256:…) or in Apollo's form; None if it names none."""
    if document_id is not None:
        digest = document_id.removeprefix(_PREFIX)
        if digest == document_id or _SHA256.fullmatch(digest) is None:
            raise BadUserInput("documentId must be sha256: and 64 hexadecimal digits", path=("documentId",))
        return digest
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    given = persisted.get("sha256Hash") if isinstance(persisted, dict) and persisted.get("version") == 1 else None
    if not isinstance(given, str) or _SHA256.fullmatch(given) is None:
        message = "extensions.persistedQuery must have version 1 and a sha256Hash of 64 hexadecimal digits"
        raise BadUserInput(message, path=("extensions", "persistedQuery"))
    return given


class Documents:
    """Finds the text of a request, holding it to what may be run."""

    def __init__(
        self, trusted: TrustedDocuments, *, trusted_only: bool, registration: bool, capacity: int = KNOWN_DOCUMENTS
    ) -> None:
        self._trusted = trusted
        self._trusted_only = trusted_only
        self._registration = registration and not trusted_only
        self._capacity = capacity
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._missed: OrderedDict[str, float] = OrderedDict()

    async def named(self, digest: str, *, text: str | None) -> Document:
        """The document of a hash; with a text that has this hash, it may be registered."""
        found = await self._find(digest)
        if found is not None:
            return found
        if text is None:
            raise PersistedQueryNotFound
        if digest_of(text) != digest:
            raise BadUserInput("The hash is not that of the query", path=("query",))
        if self._trusted_only:
            raise _not_trusted()
        document = Document(text=text, trusted=False)
        if self._registration:
            self._keep(digest, document)
        return document

    async def written(self, text: str) -> Document:
        """The document of a text that was sent whole."""
        if not self._trusted_only:
            return Document(text=text, trusted=False)
        found = await self._find(digest_of(text))
        if found is None:
            raise _not_trusted()
        return found

    async def _find(self, digest: str) -> Document | None:
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            return known
        missed_at = self._missed.get(digest)
        if missed_at is not None and time.monotonic() - missed_at < MISS_SECONDS:
            return None
        text = await self._trusted.find(digest)
        if text is None:
            self._missed[digest] = time.monotonic()
            self._missed.move_to_end(digest)
            while len(self._missed) > self._capacity:
                self._missed.popitem(last=False)
            return None
        document = Document(text=text, trusted=True)
        self._keep(digest, document)
        return document

    def _keep(self, digest: str, document: Document) -> None:
        self._known[digest] = document
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def _not_trusted() -> Forbidden:
    return Forbidden("This document is not among those that may be run here")
