"""The addresses below `/api`: whatever is asked of them, and whatever an experiment's files say, it is answered."""

import asyncio
import json

import pytest

from hpo.serve.app import App
from hpo.serve.catalogue import id_of
from hpo.serve.guard import STEERS
from tests.serve.test_hub import opened


def ask(root, *paths):
    """Status and content of each answer; an exception is one that would have been a server's error."""

    async def run():
        async with opened(root) as hub:
            return [await answer(App(hub).build(), path) for path in paths]

    return asyncio.run(run())


async def answer(app, path):
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    sent = []

    async def send(message):
        sent.append(message)

    await app({**scope, "headers": [], STEERS: True}, None, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.mark.long
def test_a_value_that_no_figure_can_be_made_of_is_told_in_one_sentence_without_the_value(story, caplog):
    name = next(iter(story.configuration))
    for trial, value in enumerate((10**4000, 10**400, -(2**70), 1e308)):
        story.configuration[name] = value
        story.start(trial)
        story.report(trial, 1, 50.0 + trial)
    root = f"/api/e/{id_of(story.directory)}"
    drawn = [
        "/charts/main",
        "/trials?sort=best",
        f"/trials?sort=x.{name}",
        "/trials?q=1000",
        "/t/0",
        "/t/2",
        "/charts/importance",
    ]
    found = ask(story.directory.parents[3], f"{root}/charts/space", *(root + path for path in drawn))
    status, content = found[0]
    assert (status, content["error"][:56]) == (422, "This cannot be made of what the experiment's files say (")
    assert "0" * 20 not in json.dumps(content) + caplog.text
    assert [status for status, _ in found[1:]] == [200] * len(drawn)


@pytest.mark.long
def test_a_number_of_any_length_is_one_that_there_is_not(story):
    story.start(0)
    root, many = f"/api/e/{id_of(story.directory)}", "9" * 5000
    paths = [
        f"{root}/t/{many}",
        f"{root}/t/{many}/log/0/stdout",
        f"{root}/t/0/log/{many}/stdout",
        f"/api/e/{many}/trials",
    ]
    paths += [
        f"{root}/t/{'9' * 18}",
        f"{root}/t/{'9' * 19}",
        f"{root}/t/{'9' * 18}/log/{'9' * 18}/stdout",
        f"/api/t/{many}",
    ]
    for status, content in ask(story.directory.parents[3], *paths):
        assert (status, content) == (404, {"error": "There is nothing of that name."})
