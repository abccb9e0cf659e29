"""From which address a request came, as far as it can be believed."""

from __future__ import annotations

import ipaddress
from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("client_ip", default=None)


def current_client_ip() -> str | None:
    """The address of the client that is being answered here, or None."""
    return _current.get()


def bind_client_ip(ip: str | None) -> None:
    """Set the address for the work that follows in this context."""
    _current.set(ip)


def client_ip(peer: str | None, forwarded_for: str, *, hops: int) -> str | None:
    """The client's address: the peer's, or with `hops` proxies in front, what the outermost of them saw.

    Each proxy appends the address it was called from, so the entries that our own proxies wrote are the last
    `hops` ones; whatever stands further left was sent by the client and may be invented.
    """
    entries = [entry.strip() for entry in forwarded_for.split(",") if entry.strip()]
    candidate = entries[-hops] if hops and len(entries) >= hops else peer
    try:
        return str(ipaddress.ip_address((candidate or "").partition("%")[0]))
    except ValueError:
        return None
