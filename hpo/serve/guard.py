"""Who may ask: every request passes here first, whatever its path; there is no list of paths that are guarded.

In this order: the Host must be one of ours (a page elsewhere whose name is made to point here has another), the method one
that changes nothing, the request no fetch of another site's page, and the token the one of the link.
"""

import hmac
import html
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asked = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
METHODS = ("GET", "HEAD")
"""What changes nothing. A route that steers will have its own entry, by method and path, and its own rules."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """An ASGI application around another one.

    Args:
        app: what is guarded.
        token: that a request must bring: in a cookie, as a bearer's, or once in the address.
        cookie: name of the cookie; cookies do not know ports, so it has the port in it.
        hosts: names by which the server may be called, besides those of this machine.
        base: the path below which it is served; without a slash at its end.
    """

    def __init__(
        self, app: Asked, *, token: str, cookie: str, hosts: frozenset[str] = frozenset(), base: str = ""
    ) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._base = base

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks another protocol
        headers = scope["headers"]
        values = {name: [v.decode("latin-1") for n, v in headers if n == name] for name in _ASKED}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if (refused := self._refusal(scope, values)) is not None:
            await _answer(send, *refused)
        elif "token" in query:
            await self._let_in(scope, send, query)
        elif not self._is_known(values):
            await _answer(send, 401, _NO_TOKEN)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Message, values: dict[bytes, list[str]]) -> tuple[int, str] | None:
        hosts = values[b"host"]
        if len(hosts) != 1:
            return 400, "A request names one Host."
        if _name_of(hosts[0]) not in self._hosts:
            return 403, "This server is not called by that name; start it with --host-name NAME to allow one."
        if scope["method"] not in METHODS:
            return 405, "This server only shows: use GET."
        site, mode = (values[name][:1] for name in (b"sec-fetch-site", b"sec-fetch-mode"))
        if site and site[0] not in ("same-origin", "none") and mode != ["navigate"]:
            return 403, "Pages of other sites get nothing here."
        return None

    def _is_known(self, values: dict[bytes, list[str]]) -> bool:
        given = [text[7:].strip() for text in values[b"authorization"] if text[:7].lower() == "bearer "]
        for text in values[b"cookie"]:
            try:
                cookie = SimpleCookie(text).get(self._cookie)
            except CookieError:
                continue
            given += [cookie.value] if cookie is not None else []
        return any(self._is_token(one) for one in given)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    async def _let_in(self, scope: Message, send: Send, query: dict[str, str]) -> None:
        """Keep the token in a cookie, and go on at the address without it.

        Not by a redirect: a browser that follows the link from another page would not send the cookie along.
        """
        if not self._is_token(query.pop("token")):
            await _answer(send, 401, _NO_TOKEN)
            return
        path = "/" + quote(scope["path"].lstrip("/"))  # two slashes would be another host
        target = path + (f"?{urlencode(query)}" if query else "")
        cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path={self._base or '/'}"
        shown = html.escape(target)
        head = f'<meta http-equiv="refresh" content="0;url={shown}">'
        body = f'<p>The link is right. <a href="{shown}">Go on</a></p>'
        await _answer(send, 200, body, head=head, more=((b"set-cookie", cookie.encode()),))


_ASKED = (b"host", b"cookie", b"authorization", b"sec-fetch-site", b"sec-fetch-mode")
_NO_TOKEN = "Open the link that hpo serve has printed: it has a token in it, which this request lacks or has wrong."


def _name_of(host: str) -> str:
    """A Host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


async def _answer(
    send: Send, status: int, body: str, *, head: str = "", more: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """A small page. `body` is markup of ours."""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>hpo</title>{head}</head>'
        f"<body><main><h1>hpo</h1>{body if body.startswith('<') else f'<p>{body}</p>'}</main></body></html>"
    ).encode()
    headers = [*HEADERS, *more, (b"content-type", b"text/html; charset=utf-8")]
    headers += [(b"allow", ", ".join(METHODS).encode())] if status == 405 else []
    headers.append((b"content-length", str(len(text)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((n, v) for n, v in HEADERS if n not in own)]
        await send(message)

    return guarded
