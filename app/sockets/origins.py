"""Which web pages may open a socket: a browser sends a page's origin and, unlike for HTTP, asks nobody."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def origin_allowed(origin: str | None, *, host: str | None, allowed: Collection[str]) -> bool:
    """True for no origin (not a browser), for the server's own, and for those that are listed.

    The scheme is not compared: behind a proxy that ends TLS, the page came by https and the socket by ws.
    """
    if origin is None or origin in allowed:
        return True
    try:
        page = urlsplit(origin)
        ours = urlsplit(f"//{host or ''}")
        default = _DEFAULT_PORTS[page.scheme]
        return bool(page.hostname) and (page.hostname, page.port or default) == (ours.hostname, ours.port or default)
    except (ValueError, KeyError):
        return False
