"""Which of the two media types an answer takes. An event stream is offered elsewhere, never for a plain operation."""

from enum import Enum
from functools import lru_cache


class Media(Enum):
    """The media types of a GraphQL answer. They differ in the status code of a request that could not be run."""

    GRAPHQL = b"application/graphql-response+json; charset=utf-8"
    JSON = b"application/json; charset=utf-8"


_RANGES: dict[str, tuple[Media, int]] = {
    "application/graphql-response+json": (Media.GRAPHQL, 3),
    "application/json": (Media.JSON, 3),
    "application/*": (Media.JSON, 2),
    "*/*": (Media.JSON, 1),
}


@lru_cache(maxsize=256)
def negotiate(accept: bytes) -> Media | None:
    """The media type for an Accept header; None if it admits neither. No header means JSON, as older clients expect.

    The highest quality wins, then the order in the header: a client that lists the GraphQL type first wants it.
    """
    if not accept.strip():
        return Media.JSON
    best: tuple[float, int, int] | None = None
    chosen: Media | None = None
    for position, part in enumerate(accept.decode("latin-1").lower().split(",")):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        known = _RANGES.get(name)
        quality = _quality(parameters)
        if known is None or quality <= 0 or not _reads_utf8(parameters):
            continue
        media, exactness = known
        rank = (quality, exactness, -position)
        if best is None or rank > best:
            best, chosen = rank, media
    return chosen


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _reads_utf8(parameters: list[str]) -> bool:
    charsets = [parameter[8:].strip('"') for parameter in parameters if parameter.startswith("charset=")]
    return all(charset in {"utf-8", "utf8"} for charset in charsets)
