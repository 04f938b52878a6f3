"""Access control: every request passes here first, whatever its path.

The checks, in order: the Host header must name this server (a foreign page whose name is made to point here sends another
name), the method must not change anything, and the request must not come from another site's page. Everything about
experiments lies below one path, and needs the secret of a link or a signature made with it (`hpo.serve.signing`). All other
paths are answered by an application that knows no experiments, so there is no list of guarded paths that could be incomplete.
Only one kind of address accepts POST, and only from pages of this server that were opened with the link that steers.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from hpo.serve.signing import Keys
from hpo.serve.wire import encoded

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asked = Callable[[Message, Receive, Send], Awaitable[None]]

API = "/api"
"""Path, after the base, below which everything about experiments lies."""
GREETING = f"{API}/hello"
"""Path at which a page asks the server to prove that it knows the secret."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
METHODS = ("GET", "HEAD")
"""HTTP methods that change nothing."""
COMMANDS = re.compile(r"/api/e/[0-9a-f]{12}/commands")
"""Pattern of the only paths, below the base, that accept POST."""
MOST_POSTED = 4096
"""Largest size of a posted command in bytes."""
PATIENCE = 5.0
"""Seconds within which a posted command must have arrived."""
STEERS = "hpo.steers"
"""Key of a request's scope: whether the sender may steer."""
KNOWN = "hpo.known"
"""Key of a request's scope: whether the sender has proven to know a link's secret."""
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
    """ASGI application that checks each request and passes it on to the experiments' or the pages' application.

    Args:
        app: Guarded application with everything about experiments, below `API`.
        shell: Application for all other paths; it knows no experiments.
        keys: Keys by which requests are signed.
        hosts: Names by which the server may be called, besides those of this machine.
        port: Port that this machine's names must come with; None: any, since the server listens on a user's socket.
        base: URL path below which everything is served, without a slash at its end.
    """

    def __init__(
        self,
        app: Asked,
        shell: Asked,
        *,
        keys: Keys,
        hosts: frozenset[str] = frozenset(),
        port: int | None = None,
        base: str = "",
    ) -> None:
        self._app = app
        self._shell = shell
        self._keys = keys
        self._hosts = frozenset(host.lower() for host in hosts)
        self._port = port
        self._base = base

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Reject a request, or let one of the applications answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no other protocol is served
        headers = scope["headers"]
        values = {name: [v.decode("latin-1") for n, v in headers if n == name] for name in _ASKED}
        told = scope["path"].startswith(f"{self._base}{API}/")
        answer = _answer_json if told or scope["method"] == "POST" else _answer
        if (refused := self._refusal(scope, values)) is not None:
            await answer(send, *refused)
        elif not told:
            await self._shell(scope, receive, _with_headers(send))
        elif scope["path"] == self._base + GREETING:
            await self._greet(scope, values, send)
        else:
            await self._admit(scope, values, receive, send)

    def _refusal(self, scope: Message, values: dict[bytes, list[str]]) -> tuple[int, str] | None:
        hosts = values[b"host"]
        if len(hosts) != 1:
            return 400, "A request names one Host."
        if not self._is_called(hosts[0]):
            return 403, "This server is not called by that name; start it with --host-name NAME to allow one."
        if scope["method"] not in METHODS and not (scope["method"] == "POST" and self._takes_commands(scope["path"])):
            return 405, "This server only shows: use GET."
        site, mode = (values[name][:1] for name in (b"sec-fetch-site", b"sec-fetch-mode"))
        if site and site[0] not in ("same-origin", "none") and mode != ["navigate"]:
            return 403, "Pages of other sites get nothing here."
        return None

    def _is_called(self, host: str) -> bool:
        """Whether a Host header is exactly a name of this server, with the server's port if it is a name of this machine.

        This machine's name with another port means another program: one that took the port of an earlier server could pass on
        the requests of that server's pages.
        """
        if (named := _HOST.fullmatch(host)) is None:
            return False
        name, port = _name_of(host), int(named["port"] or 80)
        return name in self._hosts or (name in LOOPBACK and self._port in (None, port))

    def _takes_commands(self, path: str) -> bool:
        return self._keys.steerable and COMMANDS.fullmatch(path.removeprefix(self._base)) is not None

    async def _greet(self, scope: Message, values: dict[bytes, list[str]], send: Send) -> None:
        """Prove to a page that this process knows the links' secrets; that needs no secret from the page."""
        nonce = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("nonce", "")
        greeting = self._keys.greeting(nonce, values[b"host"][0])
        if greeting is None:
            await _answer_json(send, 400, "Ask with a nonce of 32 hexadecimal digits.")
            return
        await _send_json(send, 200, greeting)

    async def _admit(self, scope: Message, values: dict[bytes, list[str]], receive: Receive, send: Send) -> None:
        """Pass on the request of somebody who has proven to know, or sends, a link's secret; reject all others."""
        posts, body = scope["method"] == "POST", b""
        if posts:  # the signature covers the whole body, so read it first
            refused = self._refusal_of_post(values)
            if refused is None:
                read = await _body(receive)
                if read is None:
                    return
                body, refused = read
            if refused is not None:
                await _answer_json(send, *refused)
                return
        steers = self._rights(scope, values, body)
        scope[KNOWN] = steers is not None
        if steers is None:
            await _answer_json(send, 401, _NO_TOKEN)
        elif posts and not steers:
            await _answer_json(send, 403, "This link only looks; hpo serve --steer prints another one that steers.")
        else:
            scope[STEERS] = steers
            await self._app(scope, _again(body, receive) if posts else receive, _with_headers(send))

    def _rights(self, scope: Message, values: dict[bytes, list[str]], body: bytes) -> bool | None:
        """Return whether the sender of a request may steer, or None if they may not even look."""
        given = values[b"authorization"]
        if len(given) != 1:
            return None
        if given[0][:7].lower() == "bearer ":
            return self._keys.bearer(given[0][7:].strip())
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        return self._keys.signer(given[0], scope["method"], values[b"host"][0], target, body)

    def _refusal_of_post(self, values: dict[bytes, list[str]]) -> tuple[int, str] | None:
        """Return status and reason if a POST does not come from a page of this server; other sites cannot imitate one."""
        origins, sites, host = values[b"origin"], values[b"sec-fetch-site"], values[b"host"][0]
        schemes = ("http", "https") if _name_of(host) in self._hosts else ("http",)  # a proxy may add TLS
        own = all(origin in [f"{scheme}://{host}" for scheme in schemes] for origin in origins)
        if not (origins or sites) or not own or any(site != "same-origin" for site in sites):
            return 403, "Commands are taken from pages of this server alone."
        if [kind.partition(";")[0].strip().lower() for kind in values[b"content-type"]] != ["application/json"]:
            return 415, "Send a command as application/json."
        if not all(length.isdecimal() and int(length[:9]) <= MOST_POSTED for length in values[b"content-length"]):
            return 413, _TOO_LONG
        return None


_ASKED = (
    b"host",
    b"authorization",
    b"sec-fetch-site",
    b"sec-fetch-mode",
    b"origin",
    b"content-type",
    b"content-length",
)
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_CLOSE = ((b"connection", b"close"),)
"""Header that closes the connection after a posted body that was not read completely."""
_TOO_LONG = f"A command has at most {MOST_POSTED} bytes."
_NO_TOKEN = (
    "Open the link that hpo serve has printed: this request has no token and no signature, or a wrong or late one."
)


def _name_of(host: str) -> str:
    """Return the name in a well-formed Host header, without its port."""
    named = _HOST.fullmatch(host)
    assert named is not None
    return named["name"].strip("[]").lower()


async def _body(receive: Receive) -> tuple[bytes, tuple[int, str] | None] | None:
    """Return the posted body, and status and reason if it is rejected. Return None if the sender has disconnected."""
    body = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > MOST_POSTED:
                    return b"", (413, _TOO_LONG)
                if not message.get("more_body"):
                    return body, None
    except TimeoutError:
        return b"", (408, f"The command did not come within {PATIENCE:g} s.")


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` function that gives an application a body that was already read."""
    left = [body]

    async def given() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return given


async def _answer(send: Send, status: int, text: str) -> None:
    """Send a small page with one sentence."""
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>hpo</title></head>'
        f"<body><main><h1>hpo</h1><p>{text}</p></main></body></html>"
    ).encode()
    headers = [*HEADERS, (b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(b"allow", ", ".join(METHODS).encode())] if status == 405 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer_json(send: Send, status: int, text: str) -> None:
    more = {405: ((b"allow", ", ".join(METHODS).encode()),), 408: _CLOSE, 413: _CLOSE}.get(status, ())
    await _send_json(send, status, encoded({"error": text}), more)


async def _send_json(send: Send, status: int, body: bytes, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    own = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*HEADERS, *own, *more]})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((n, v) for n, v in HEADERS if n not in own)]
        await send(message)

    return guarded
