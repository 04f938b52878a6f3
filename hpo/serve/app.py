"""The application: which address gives what, behind the guard.

Ids are looked up in a table and trials are whole numbers: no path is taken from a request.
"""

import contextlib
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from hpo.errors import HPOError
from hpo.serve.guard import STEERS
from hpo.serve.hub import Hub
from hpo.serve.logs import NAMES, WHOLE, read_log
from hpo.serve.streams import experiment_stream, log_stream, rows_stream
from hpo.serve.wire import encoded

if TYPE_CHECKING:
    from hpo.serve.comparing import Comparisons

MOST_STREAMS = 16
"""Pages that are kept up to date at a time."""
SHARED = ("labels.js", "chart.js", "pointing.js", "tables.js", "figures.js")
"""Scripts of the report."""
OWN = ("live.js", "canvas.js", "front.js", "experiment.js", "trial.js", "tag.js", "missing.js", "steer.js")
Answer = Callable[[Request], Awaitable[Response]]


class App:
    """The application's state and its routes.

    Args:
        hub: the experiments.
        base: the path below which it is served, such as `/hpo`, or nothing.
    """

    def __init__(self, hub: Hub, base: str = "") -> None:
        self.hub = hub
        self.base = base
        self.comparisons: Comparisons | None = None
        self.streams = 0
        self._assets: dict[str, tuple[bytes, bytes, str]] = {}
        self._shell = _own("page.html")

    def build(self) -> Starlette:
        """The ASGI application, without its guard."""
        api = [
            Route("/stream", self._rows),
            Route("/e/{id}/stream", self._experiment),
            Route("/e/{id}/charts/{group}", self._charts),
            Route("/e/{id}/trials", self._trials),
            Route("/e/{id}/configuration", self._configuration),
            Route("/e/{id}/commands", self._commands, methods=["GET", "POST"]),
            Route("/e/{id}/t/{trial:int}", self._trial),
            Route("/e/{id}/t/{trial:int}/log/{attempt:int}/{name}", self._log),
            Route("/e/{id}/t/{trial:int}/log/{attempt:int}/{name}/stream", self._log_stream),
            Route("/t/{id}", self._tag),
        ]
        routes = [
            Route("/", self._page("front")),
            Route("/latest", self._latest),
            Route("/e/{id}", self._page("experiment")),
            Route("/e/{id}/t/{trial:int}", self._page("trial")),
            Route("/t/{id}", self._page("tag")),
            Route("/assets/{name}", self._asset),
            Mount("/api", routes=api),
        ]

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self.hub.begin()
            try:
                yield
            finally:
                await self.hub.end()

        handlers: Any = {HTTPException: self._failed}
        whole: list[Any] = [Mount(self.base, routes=routes)] if self.base else list(routes)
        return Starlette(routes=whole, lifespan=lifespan, exception_handlers=handlers)

    # ------------------------------------------------------------------ pages

    def _page(self, kind: str, status: int = 200) -> Answer:
        """One of the pages. Its script fills it: no text of users is ever in the markup."""

        async def answer(request: Request) -> Response:
            if kind != "front" and not self._is_listed(kind, request.path_params["id"]):
                await self.hub.find()  # it may be new
                if not self._is_listed(kind, request.path_params["id"]):
                    raise HTTPException(404)
            return self._filled(kind, status, steers=request.scope[STEERS])

        return answer

    def _is_listed(self, kind: str, name: str) -> bool:
        return name in (self.hub.catalogue.groups if kind == "tag" else self.hub.catalogue.experiments)

    def _filled(self, kind: str, status: int, *, steers: bool = False) -> Response:
        names = [*SHARED, "live.js", "canvas.js", *(["steer.js"] if steers else []), f"{kind}.js"]
        scripts = "\n".join(f'<script defer src="{self.base}/assets/{name}"></script>' for name in names)
        text = self._shell.replace("{kind}", kind).replace("{base}", self.base).replace("{scripts}", scripts)
        return Response(text, status, media_type="text/html; charset=utf-8")

    async def _failed(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if "/api/" in request.url.path or "/assets/" in request.url.path:
            detail = getattr(error, "detail", "")
            if detail in ("", HTTPStatus(status).phrase):
                detail = {404: "There is nothing of that name.", 503: "Too many pages are open; close some."}.get(
                    status, "It failed."
                )
            return Response(encoded({"error": detail}), status, media_type="application/json")
        return self._filled("missing", status)

    async def _latest(self, request: Request) -> Response:
        """The experiment whose log has changed last."""
        await self.hub.find()

        def newest() -> str | None:
            times = {}
            for name, listed in self.hub.catalogue.experiments.items():
                with contextlib.suppress(OSError, ValueError):  # it is gone, or has no log yet
                    times[name] = max(path.stat().st_mtime for path in listed.directory.glob("events.db*"))
            return max(times, key=times.__getitem__, default=None)

        name = await self.hub.read(newest)
        if name is None:
            raise HTTPException(404)
        return RedirectResponse(f"{self.base}/e/{name}", 303)

    async def _asset(self, request: Request) -> Response:
        self._assets = self._assets or await self.hub.read(_load_assets)
        found = self._assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        body, packed, kind = found
        return _packed(request, body, kind, packed)

    # ------------------------------------------------------------------ answers

    async def _charts(self, request: Request) -> Response:
        group = request.path_params["group"]
        one = await self._current(request)
        body = await one.read(lambda: one.figures.body(group))
        if body is None:
            raise HTTPException(404)
        return _packed(request, body, "application/json")

    async def _trials(self, request: Request) -> Response:
        from hpo.serve.answers import trials_body

        one = await self._current(request)
        asked = request.query_params
        page = asked.get("page", "0")
        body = await one.read(
            lambda: trials_body(
                one.feed,
                sort=asked.get("sort", "trial"),
                down=asked.get("down") == "1",
                words=asked.get("q", "")[:1000],
                page=int(page) if page.isdecimal() and len(page) < 9 else 0,
            )
        )
        return _packed(request, body, "application/json")

    async def _configuration(self, request: Request) -> Response:
        from hpo.serve.answers import configuration_text_of

        one = await self._current(request)
        try:
            text = await one.read(lambda: configuration_text_of(one.feed))
        except HPOError as error:
            raise HTTPException(404, str(error)) from error
        return PlainTextResponse(text)

    async def _commands(self, request: Request) -> Response:
        from hpo.serve.steering import answer  # reads logs, which the first page need not wait for

        return await answer(self.hub, self._known(request), request)

    async def _trial(self, request: Request) -> Response:
        from hpo.serve.answers import trial_body

        one = await self._current(request)
        body = await one.read(lambda: trial_body(one.feed, request.path_params["trial"]))
        if body is None:
            raise HTTPException(404)
        return _packed(request, body, "application/json")

    async def _log(self, request: Request) -> Response:
        directory, trial, attempt, name = self._place_of(request)
        try:
            body, _ = await self.hub.read(lambda: read_log(directory, trial, attempt, name, most=WHOLE))
        except (OSError, OverflowError, ValueError) as error:
            raise HTTPException(404) from error
        headers = {"content-disposition": "inline"}
        return Response(body, headers=headers, media_type="text/plain; charset=utf-8")

    async def _tag(self, request: Request) -> Response:
        group = self.hub.catalogue.groups.get(request.path_params["id"])
        if group is None:
            raise HTTPException(404)
        shown = [self.hub.row(name) for name in group.members]
        state = tuple(f"{one.generation}-{one.sequence}-{one.condition}" for one in shown)
        from hpo.serve.comparing import Comparisons

        comparisons = self.comparisons = self.comparisons or Comparisons()
        body = await self.hub.compare(group.folder, lambda: comparisons.body(group.folder, state))
        return _packed(request, body, "application/json")

    async def _current(self, request: Request) -> Any:
        name = self._known(request)
        return await self.hub.current(name)

    def _known(self, request: Request) -> str:
        name: str = request.path_params["id"]
        if name not in self.hub.catalogue.experiments:
            raise HTTPException(404)
        return name

    def _place_of(self, request: Request) -> tuple[Any, int, int, str]:
        name = request.path_params["name"]
        if name not in NAMES:
            raise HTTPException(404)
        directory = self.hub.catalogue.experiments[self._known(request)].directory
        return directory, request.path_params["trial"], request.path_params["attempt"], name

    # ------------------------------------------------------------------ streams

    async def _rows(self, request: Request) -> Response:
        return self._stream(request, rows_stream(self.hub, _cursor(request)))

    async def _experiment(self, request: Request) -> Response:
        return self._stream(request, experiment_stream(self.hub, self._known(request), _cursor(request)))

    async def _log_stream(self, request: Request) -> Response:
        return self._stream(request, log_stream(self.hub, *self._place_of(request)))

    def _stream(self, request: Request, messages: AsyncGenerator[bytes]) -> Response:
        headers = {"x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        if self.streams >= MOST_STREAMS:
            raise HTTPException(503)
        return _Stream(self, messages, headers=headers, media_type="text/event-stream")


class _Stream(StreamingResponse):
    """Counted while it lasts, and closed when it ends, however that is."""

    def __init__(self, app: App, messages: AsyncGenerator[bytes], **keys: Any) -> None:
        super().__init__(messages, **keys)
        self._app, self._messages = app, messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._app.streams += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._app.streams -= 1
            await self._messages.aclose()


def _cursor(request: Request) -> str:
    """Where a page goes on: what its browser says of itself comes before what its script had."""
    return request.headers.get("last-event-id") or request.query_params.get("after", "")


def _packed(request: Request, body: bytes, kind: str, packed: bytes | None = None) -> Response:
    """An answer, smaller where the browser can unpack it."""
    if len(body) < 2000 or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=kind)
    packed = gzip.compress(body, 5) if packed is None else packed
    return Response(packed, headers={"content-encoding": "gzip", "vary": "accept-encoding"}, media_type=kind)


def _own(name: str) -> str:
    return resources.files("hpo.serve").joinpath("assets", name).read_text(encoding="utf-8")


def _load_assets() -> dict[str, tuple[bytes, bytes, str]]:
    from hpo.reports.page import asset, dark_colours

    style = dark_colours() + asset("report.css") + _own("live.css")
    texts = {"page.css": style, **{name: asset(name) for name in SHARED}, **{name: _own(name) for name in OWN}}
    found = {}
    for name, text in texts.items():
        body = text.encode()
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        found[name] = body, gzip.compress(body, 6), f"{kind}; charset=utf-8"
    return found
