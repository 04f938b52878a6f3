"""The web application behind the guard: the routes below `/api` and their answers.

Experiments are looked up by id in a table and trials are whole numbers: no file path comes from a request.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from hpo.errors import HPOError
from hpo.serve.guard import API
from hpo.serve.hub import Hub
from hpo.serve.logs import NAMES, WHOLE, read_log
from hpo.serve.shell import packed
from hpo.serve.streams import experiment_stream, log_stream, rows_stream
from hpo.serve.wire import encoded

if TYPE_CHECKING:
    from hpo.serve.comparing import Comparisons

log = logging.getLogger(__name__)

MOST_STREAMS = 16
"""Largest number of pages that are kept up to date at the same time."""
T = TypeVar("T")


class _Number(Convertor[int]):
    """Route parameter for the number of a trial or an attempt, short enough for SQLite's integers."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())


class App:
    """State and routes of the web application.

    Args:
        hub: The server's experiments.
        base: URL path below which the application is served, such as `/hpo`; empty: none.
    """

    def __init__(self, hub: Hub, base: str = "") -> None:
        self.hub = hub
        self.base = base
        self.comparisons: Comparisons | None = None
        self.streams = 0

    def build(self) -> Starlette:
        """Return the ASGI application, without its guard."""
        api = [
            Route("/stream", self._rows),
            Route("/latest", self._latest),
            Route("/e/{id}/stream", self._experiment),
            Route("/e/{id}/charts/{group}", self._charts),
            Route("/e/{id}/trials", self._trials),
            Route("/e/{id}/configuration", self._configuration),
            Route("/e/{id}/commands", self._commands, methods=["GET", "POST"]),
            Route("/e/{id}/t/{trial:number}", self._trial),
            Route("/e/{id}/t/{trial:number}/log/{attempt:number}/{name}", self._log),
            Route("/e/{id}/t/{trial:number}/log/{attempt:number}/{name}/stream", self._log_stream),
            Route("/t/{id}", self._tag),
        ]

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self.hub.begin()
            try:
                yield
            finally:
                await self.hub.end()

        handlers: Any = {HTTPException: self._failed}
        routes = [Mount(self.base + API, routes=api)]
        return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)

    async def _failed(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = getattr(error, "detail", "")
        if detail in ("", HTTPStatus(status).phrase):
            known = {404: "There is nothing of that name.", 503: "Too many pages are open; close some."}
            detail = known.get(status, "It failed.")
        return Response(encoded({"error": detail}), status, media_type="application/json")

    async def _latest(self, request: Request) -> Response:
        """Answer with the id of the experiment whose log has changed last."""
        await self.hub.find()

        def newest() -> str | None:
            times = {}
            for name, listed in self.hub.catalogue.experiments.items():
                with contextlib.suppress(OSError, ValueError):  # the experiment is gone, or has no log yet
                    times[name] = max(path.stat().st_mtime for path in listed.directory.glob("events.db*"))
            return max(times, key=times.__getitem__, default=None)

        name = await self.hub.read(newest)
        if name is None:
            raise HTTPException(404)
        return Response(encoded({"id": name}), media_type="application/json")

    # ------------------------------------------------------------------ answers

    async def _charts(self, request: Request) -> Response:
        group = request.path_params["group"]
        one = await self._current(request)
        body = await self._made(one, lambda: one.figures.body(group))
        if body is None:
            raise HTTPException(404)
        return packed(request, body, "application/json")

    async def _trials(self, request: Request) -> Response:
        from hpo.serve.answers import trials_body

        one = await self._current(request)
        asked = request.query_params
        page = asked.get("page", "0")
        body = await self._made(
            one,
            lambda: trials_body(
                one.feed,
                sort=asked.get("sort", "trial"),
                down=asked.get("down") == "1",
                words=asked.get("q", "")[:1000],
                page=int(page) if page.isdecimal() and len(page) < 9 else 0,
            ),
        )
        return packed(request, body, "application/json")

    async def _configuration(self, request: Request) -> Response:
        from hpo.serve.answers import configuration_text_of

        one = await self._current(request)
        try:
            text = await one.read(lambda: configuration_text_of(one.feed))
        except HPOError as error:
            raise HTTPException(404, str(error)) from error
        return PlainTextResponse(text)

    async def _commands(self, request: Request) -> Response:
        from hpo.serve.steering import answer  # a late import, since the first page does not need it

        return await answer(self.hub, await self._known(request), request)

    async def _trial(self, request: Request) -> Response:
        from hpo.serve.answers import trial_body

        one = await self._current(request)
        body = await self._made(one, lambda: trial_body(one.feed, request.path_params["trial"]), brief=True)
        if body is None:
            raise HTTPException(404)
        return packed(request, body, "application/json")

    async def _log(self, request: Request) -> Response:
        directory, trial, attempt, name = await self._place_of(request)
        try:
            body, _ = await self.hub.read(lambda: read_log(directory, trial, attempt, name, most=WHOLE))
        except (OSError, OverflowError, ValueError) as error:
            raise HTTPException(404) from error
        headers = {"content-disposition": "inline"}
        return Response(body, headers=headers, media_type="text/plain; charset=utf-8")

    async def _tag(self, request: Request) -> Response:
        group = (await self._listed(request, lambda: self.hub.catalogue.groups))[request.path_params["id"]]
        shown = [self.hub.row(name) for name in group.members]
        state = tuple(f"{one.generation}-{one.sequence}-{one.condition}" for one in shown)
        from hpo.serve.comparing import Comparisons

        comparisons = self.comparisons = self.comparisons or Comparisons()
        body = await self.hub.compare(group.folder, lambda: comparisons.body(group.folder, state))
        return packed(request, body, "application/json")

    async def _made(self, one: Any, make: Callable[[], T], *, brief: bool = False) -> T:
        """Make an answer in a reader thread; respond with 422 if the experiment's files do not allow it."""
        try:
            made: T = await one.read(make, brief=brief)
            return made
        except Exception as error:
            log.warning("%s: a request cannot be answered (%s)", one.feed.files.path, type(error).__name__)
            log.debug("the request failed with", exc_info=error)
            text = f"This cannot be made of what the experiment's files say ({type(error).__name__}); hpo status says more."
            raise HTTPException(422, text) from error

    async def _current(self, request: Request) -> Any:
        return await self.hub.current(await self._known(request))

    async def _known(self, request: Request) -> str:
        await self._listed(request, lambda: self.hub.catalogue.experiments)
        return str(request.path_params["id"])

    async def _listed(self, request: Request, table: Callable[[], Mapping[str, T]]) -> Mapping[str, T]:
        """Return the table that contains the id of a request, after a search for new experiments if needed."""
        if request.path_params["id"] not in table():
            await self.hub.find()
        if request.path_params["id"] not in table():
            raise HTTPException(404)
        return table()

    async def _place_of(self, request: Request) -> tuple[Any, int, int, str]:
        name = request.path_params["name"]
        if name not in NAMES:
            raise HTTPException(404)
        directory = self.hub.catalogue.experiments[await self._known(request)].directory
        return directory, request.path_params["trial"], request.path_params["attempt"], name

    # ------------------------------------------------------------------ streams

    async def _rows(self, request: Request) -> Response:
        return self._stream(request, rows_stream(self.hub, _cursor(request)))

    async def _experiment(self, request: Request) -> Response:
        return self._stream(request, experiment_stream(self.hub, await self._known(request), _cursor(request)))

    async def _log_stream(self, request: Request) -> Response:
        return self._stream(request, log_stream(self.hub, *await self._place_of(request)))

    def _stream(self, request: Request, messages: AsyncGenerator[bytes]) -> Response:
        headers = {"x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        if self.streams >= MOST_STREAMS:
            raise HTTPException(503)
        return _Stream(self, messages, headers=headers, media_type="text/event-stream")


class _Stream(StreamingResponse):
    """A streaming response that counts towards `MOST_STREAMS` and always closes its generator."""

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
    """Return the cursor from which a page resumes: the browser's `Last-Event-ID` header, or else the script's parameter."""
    return request.headers.get("last-event-id") or request.query_params.get("after", "")
