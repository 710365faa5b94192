"""Who is let in: those who know the token, from pages of this server alone.

Any page in the user's browser can send requests to a server on this machine, under a name of its
own too (DNS rebinding), and so can every other user of the machine.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

_HEADERS = {
    # 'unsafe-inline' is for the styles that xterm.js makes; a script comes from a file of ours.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Refuses requests with 403 and a sentence; ``token`` belongs in the address, once.

    The page that is opened with it gets a cookie, so that the token leaves the address bar.
    """

    def __init__(self, *, remote: bool) -> None:
        """``remote``: other machines are let in, which know this one by its name."""
        self.token = secrets.token_urlsafe(32)
        # Cookies know no ports: another server on this machine gets its own, and sees this one.
        self._cookie = f"cnn-tui-{secrets.token_hex(4)}"
        self._kept = secrets.token_urlsafe(32)
        self._remote = remote
        self._names = {"localhost"}
        if remote:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Hand the request on if it may pass; the answer to one with the token sets the cookie."""
        refusal = self._refusal(request)
        if refusal is not None:
            raise web.HTTPForbidden(text=f"{refusal}\n")
        response = await handler(request)
        if "token" in request.query and not response.prepared:
            response.set_cookie(self._cookie, self._kept, httponly=True, samesite="Strict")
        return response

    @staticmethod
    async def prepare(_request: web.Request, response: web.StreamResponse) -> None:
        """Add to each answer what a browser shall not do with it."""
        response.headers.update(_HEADERS)

    def _refusal(self, request: web.Request) -> str | None:
        host = request.headers.get("Host", "").lower()
        if not self._knows(host):
            return "this server is not known by that name: open the address that it printed"
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            return "asked for by a page of another site"
        if not (
            _same(request.query.get("token"), self.token)
            or _same(request.cookies.get(self._cookie), self._kept)
        ):
            return "the token is missing or another server's: open the address that was printed"
        return None

    def _knows(self, host: str) -> bool:
        """Return whether nobody else can have given the server this name.

        An address in digits is no name; beyond this machine any of its addresses will do.
        """
        try:
            name = URL(f"http://{host}").host or ""
            if name in self._names:
                return True
            return ipaddress.ip_address(name).is_loopback or self._remote
        except ValueError:
            return False


def _same(given: str | None, expected: str) -> bool:
    """Compare in a time that tells nothing about where they differ."""
    return given is not None and hmac.compare_digest(
        given.encode("utf-8", "replace"), expected.encode()
    )
