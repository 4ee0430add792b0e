"""Which vendors the reactor does not reach: those httpx reaches in a way of the environment's."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from runtime.reactor import Reactor

_STORES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def unusual_at(url: str) -> str | None:
    """Why `url` is reached through httpx; None when the reactor reaches it."""
    if not Reactor.available():
        return "this platform has no epoll"
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        return f"{parts.scheme or 'no'} scheme"
    if "@" in parts.netloc:
        return "the address names a user"
    if parts.scheme.lower() == "https":
        for store in _STORES:
            if os.environ.get(store):
                return f"{store} names other certificates"
    return "a proxy leads to it" if _is_proxied(url) else None


def _is_proxied(url: str) -> bool:
    """As httpx reads the environment, which is asked only where a proxy is named at all."""
    if not any(value and name.lower().endswith("_proxy") for name, value in os.environ.items()):
        return False
    import httpx
    from httpx._utils import URLPattern, get_environment_proxies

    target = httpx.URL(url)
    proxies = get_environment_proxies()
    for pattern in sorted(map(URLPattern, proxies)):
        if pattern.matches(target):
            return proxies[pattern.pattern] is not None
    return False
