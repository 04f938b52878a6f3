"""HTML pages and scripts, the same for everybody: they hold nothing about experiments and fetch that themselves.

This application knows no experiments, so none of its answers can reveal anything about them.
"""

import asyncio
import gzip
import re
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hpo.serve.wire import encoded

SHARED = ("labels.js", "chart.js", "pointing.js", "tables.js", "figures.js")
"""Scripts that the live pages share with the report."""
OWN = ("session.js", "live.js", "canvas.js", "steer.js")
KINDS = {
    "front": re.compile("/?"),
    "latest": re.compile("/latest"),
    "experiment": re.compile("/e/[0-9a-f]{12}"),
    "trial": re.compile("/e/[0-9a-f]{12}/t/[0-9]{1,18}"),
    "tag": re.compile("/t/[0-9a-f]{12}"),
    "missing": re.compile("(?s:.*)"),
}
"""Kind of page for each pattern of paths below the base; the first match counts."""


class Shell:
    """ASGI application that serves the HTML pages and scripts.

    Args:
        base: URL path below which they are served, such as `/hpo`; empty: none.
    """

    def __init__(self, base: str = "") -> None:
        self._base = base
        self._text = _own("page.html")
        self._assets: asyncio.Task[dict[str, tuple[bytes, bytes, str]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a page or a script."""
        request = Request(scope)
        path = scope["path"].removeprefix(self._base)
        folder, _, name = path.rpartition("/")
        response = await self._asset(request, name) if folder == "/assets" else self._page(path)
        await response(scope, receive, send)

    def warm(self) -> None:
        """Start to read the scripts from disk."""
        self._assets = self._assets or asyncio.create_task(asyncio.to_thread(_load_assets))

    async def _asset(self, request: Request, name: str) -> Response:
        self.warm()
        assert self._assets is not None
        found = (await asyncio.shield(self._assets)).get(name)
        if found is None:
            return Response(encoded({"error": "There is nothing of that name."}), 404, media_type="application/json")
        body, gzipped, kind = found
        return packed(request, body, kind, gzipped)

    def _page(self, path: str) -> Response:
        kind = next(kind for kind, address in KINDS.items() if address.fullmatch(path))
        names = [*SHARED, *OWN, f"{kind}.js"]
        scripts = "\n".join(f'<script defer src="{self._base}/assets/{name}"></script>' for name in names)
        text = self._text.replace("{kind}", kind).replace("{base}", self._base).replace("{scripts}", scripts)
        return Response(text, 404 if kind == "missing" else 200, media_type="text/html; charset=utf-8")


def packed(request: Request, body: bytes, kind: str, gzipped: bytes | None = None) -> Response:
    """Return a response, compressed if the browser accepts that."""
    if len(body) < 2000 or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=kind)
    gzipped = gzip.compress(body, 5) if gzipped is None else gzipped
    return Response(gzipped, headers={"content-encoding": "gzip", "vary": "accept-encoding"}, media_type=kind)


def _own(name: str) -> str:
    return resources.files("hpo.serve").joinpath("assets", name).read_text(encoding="utf-8")


def _load_assets() -> dict[str, tuple[bytes, bytes, str]]:
    from hpo.reports.page import asset, dark_colours

    style = dark_colours() + asset("report.css") + _own("live.css")
    own = (*OWN, *(f"{kind}.js" for kind in KINDS))
    texts = {"page.css": style, **{name: asset(name) for name in SHARED}, **{name: _own(name) for name in own}}
    found = {}
    for name, text in texts.items():
        body = text.encode()
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        found[name] = body, gzip.compress(body, 6), f"{kind}; charset=utf-8"
    return found
