"""Who may ask: every request passes here first, whatever its path; there is no list of paths that are guarded.

In this order: the Host must be one of ours (a page elsewhere whose name is made to point here has another), the method one
that changes nothing, the request no fetch of another site's page, and the token that of a link. One address may be posted
to, by pages of this server that were opened by the link that steers.
"""

import hmac
import html
import json
import re
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
"""What changes nothing."""
COMMANDS = re.compile(r"/api/e/[0-9a-f]{12}/commands")
"""The only address, below the base, that may be posted to."""
MOST_POSTED = 4096
"""Bytes of a command."""
STEERS = "hpo.steers"
"""In the scope of a request: may whoever asks steer?"""
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
        steer: the same for those who may steer; None: nobody may.
        cookie: name of the cookie; cookies do not know ports, so it has the port in it.
        hosts: names by which the server may be called, besides those of this machine.
        base: the path below which it is served; without a slash at its end.
    """

    def __init__(
        self,
        app: Asked,
        *,
        token: str,
        cookie: str,
        steer: str | None = None,
        hosts: frozenset[str] = frozenset(),
        base: str = "",
    ) -> None:
        self._app = app
        self._token = token
        self._steer = steer
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
        posts = scope["method"] == "POST"
        given = self._given(values)
        if (refused := self._refusal(scope, values)) is not None:
            await (_answer_json if posts else _answer)(send, *refused)
        elif "token" in query and not posts:
            await self._let_in(scope, send, query)
        elif not any(map(self._is_token, given)):
            await (_answer_json if posts else _answer)(send, 401, _NO_TOKEN)
        else:
            scope[STEERS] = any(map(self._is_steering, given))
            if posts and (refused := _refusal_of_post(values, steers=scope[STEERS])) is not None:
                await _answer_json(send, *refused)
                return
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Message, values: dict[bytes, list[str]]) -> tuple[int, str] | None:
        hosts = values[b"host"]
        if len(hosts) != 1:
            return 400, "A request names one Host."
        if _name_of(hosts[0]) not in self._hosts:
            return 403, "This server is not called by that name; start it with --host-name NAME to allow one."
        if scope["method"] not in METHODS and not (scope["method"] == "POST" and self._takes_commands(scope["path"])):
            return 405, "This server only shows: use GET."
        site, mode = (values[name][:1] for name in (b"sec-fetch-site", b"sec-fetch-mode"))
        if site and site[0] not in ("same-origin", "none") and mode != ["navigate"]:
            return 403, "Pages of other sites get nothing here."
        return None

    def _takes_commands(self, path: str) -> bool:
        return self._steer is not None and COMMANDS.fullmatch(path.removeprefix(self._base)) is not None

    def _given(self, values: dict[bytes, list[str]]) -> list[str]:
        """The tokens of a request."""
        given = [text[7:].strip() for text in values[b"authorization"] if text[:7].lower() == "bearer "]
        for text in values[b"cookie"]:
            try:
                cookie = SimpleCookie(text).get(self._cookie)
            except CookieError:
                continue
            given += [cookie.value] if cookie is not None else []
        return given

    def _is_token(self, given: str) -> bool:
        looks = hmac.compare_digest(given.encode(errors="replace"), self._token.encode())
        return self._is_steering(given) or looks

    def _is_steering(self, given: str) -> bool:
        return self._steer is not None and hmac.compare_digest(given.encode(errors="replace"), self._steer.encode())

    async def _let_in(self, scope: Message, send: Send, query: dict[str, str]) -> None:
        """Keep the token in a cookie, and go on at the address without it.

        Not by a redirect: a browser that follows the link from another page would not send the cookie along.
        """
        if not self._is_token(token := query.pop("token")):
            await _answer(send, 401, _NO_TOKEN)
            return
        path = "/" + quote(scope["path"].lstrip("/"))  # two slashes would be another host
        target = path + (f"?{urlencode(query)}" if query else "")
        cookie = f"{self._cookie}={token}; HttpOnly; SameSite=Strict; Path={self._base or '/'}"
        shown = html.escape(target)
        head = f'<meta http-equiv="refresh" content="0;url={shown}">'
        body = f'<p>The link is right. <a href="{shown}">Go on</a></p>'
        await _answer(send, 200, body, head=head, more=((b"set-cookie", cookie.encode()),))


_ASKED = (
    b"host",
    b"cookie",
    b"authorization",
    b"sec-fetch-site",
    b"sec-fetch-mode",
    b"origin",
    b"content-type",
    b"content-length",
)
_NO_TOKEN = "Open the link that hpo serve has printed: it has a token in it, which this request lacks or has wrong."


def _refusal_of_post(values: dict[bytes, list[str]], *, steers: bool) -> tuple[int, str] | None:
    """Why a command is not taken: it must come from a page of this server, which no other site's page can pretend."""
    if not steers:
        return 403, "This link only looks; hpo serve --steer prints another one that steers."
    origins, sites = values[b"origin"], values[b"sec-fetch-site"]
    own = all(origin.partition("://")[2] == values[b"host"][0] for origin in origins)
    if not (origins or sites) or not own or any(site != "same-origin" for site in sites):
        return 403, "Commands are taken from pages of this server alone."
    if [kind.partition(";")[0].strip().lower() for kind in values[b"content-type"]] != ["application/json"]:
        return 415, "Send a command as application/json."
    if not all(length.isdecimal() and int(length[:9]) <= MOST_POSTED for length in values[b"content-length"]):
        return 413, f"A command has at most {MOST_POSTED} bytes."
    return None


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


async def _answer_json(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    more = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    more += [(b"allow", ", ".join(METHODS).encode())] if status == 405 else []
    await send({"type": "http.response.start", "status": status, "headers": [*HEADERS, *more]})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((n, v) for n, v in HEADERS if n not in own)]
        await send(message)

    return guarded
