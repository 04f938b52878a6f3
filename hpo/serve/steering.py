"""Commands from a page: which ones an experiment accepts now, what each would do, and sending one to the tuner.

The guard has checked the request: it comes from a page of this server that was opened with the link that steers, and its body
is complete and not longer than a command may be.
"""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hpo.errors import HPOError
from hpo.events.steering import Command
from hpo.events.text import command_text
from hpo.serve.feed import Feed
from hpo.serve.guard import MOST_POSTED, STEERS
from hpo.serve.hub import Hub
from hpo.serve.wire import encoded
from hpo.steering.asking import deliver, me, why_not
from hpo.steering.consequences import consequences
from hpo.store.commands import new_id
from hpo.store.directory import json_object


async def answer(hub: Hub, name: str, request: Request) -> Response:
    """Answer which commands are possible (GET), or send a command and answer with the tuner's reply (POST).

    Args:
        hub: The server's experiments.
        name: Id of the experiment.
        request: Request to `/api/e/ID/commands`.
    """
    if not request.scope[STEERS]:
        raise HTTPException(403, "This link only looks.")
    one = await hub.refreshed(name)
    situation = await one.read(lambda: _situation(one.feed))
    if request.method != "POST":
        return _json(200, situation)
    verb, arguments = _asked(await request.body())
    if situation["why"] is not None:
        return _json(409, {"error": f"The experiment cannot be told: {situation['why']}."})
    command = Command(new_id(), verb, arguments, f"{me()} by the page")
    after = one.feed.shown.sequence
    try:
        event = await hub.read_until_closing(lambda: deliver(one.feed.files, command, after))
    except HPOError as error:
        return _json(409, {"error": str(error)})
    if event is None:
        return _json(202, {"said": "It is left for the tuner, which has not answered yet."})
    if not event.body["accepted"]:
        return _json(409, {"error": f"It was rejected: {event.body['why']}."})
    return _json(200, {"said": f"Done: {command_text(event.body)}."})


def _situation(feed: Feed) -> dict[str, Any]:
    """Return why no command is possible, what each would do, whether the experiment is held, and its budget."""
    follower = feed.follower
    if follower is None:
        return {"why": feed.shown.trouble or "it is not here any more", "says": {}, "held": None, "budget": {}}
    config, state = follower.board.config, follower.state
    says = consequences(config, state)
    return {"why": why_not(follower), "says": says, "held": state.steering.held, "budget": config.budget}


def _asked(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        content = json_object(body)
    except ValueError as error:
        raise HTTPException(400, f"It is not a command: {error}.") from error
    verb, arguments = content.get("command"), content.get("arguments", {})
    if not isinstance(verb, str) or not isinstance(arguments, dict) or len(json.dumps(arguments)) > MOST_POSTED // 2:
        raise HTTPException(400, 'A command is of the form {"command": "hold", "arguments": {}}.')
    return verb, arguments


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(encoded(content), status, media_type="application/json")
