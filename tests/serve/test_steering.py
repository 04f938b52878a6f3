"""Steering from the page: only by its link, only from its own pages, after it has said what will happen."""

import asyncio
import http.client
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpo.events.types import Kind, Status
from hpo.results.experiment import load_experiment
from hpo.serve import guard
from hpo.serve.catalogue import id_of
from tests.conftest import Workplace, succeeded
from tests.reliability.harness import wait_until
from tests.serve.conftest import Served
from tests.serve.test_guard import STEER, Guard, Keys, inside, mac, shell, signed
from tests.serve.test_guard import TOKEN as LOOK
from tests.support.browser import browser, install

PATH = "/api/e/0123456789ab/commands"
OWN = {"origin": "http://127.0.0.1:8642", "sec-fetch-site": "same-origin"}


def post(path=PATH, token=STEER, body=b"{}", base="", steer=STEER, hosts=(), receive=None, **headers):
    """The status that the guard gives; 200 where the application is asked."""
    given = {
        "host": "127.0.0.1:8642",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        **OWN,
        **headers,
    }
    given.setdefault("content-length", str(len(body)))
    pairs = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    sent = []

    async def send(message):
        sent.append(message)

    async def give():
        return {"type": "http.request", "body": body}

    keys = steer if isinstance(steer, Keys) else Keys(LOOK, steer)
    guarded = Guard(inside, shell, keys=keys, port=8642, base=base, hosts=frozenset(hosts))
    asyncio.run(guarded({**scope, "headers": pairs}, receive or give, send))
    return sent[0]["status"] if sent else None


class TestGuard:
    """CVE-2025-62593, CVE-2026-27482, CVE-2025-14279: each rule alone must be enough."""

    def test_a_page_of_this_server_that_was_opened_by_the_link_that_steers_is_let_through(self):
        assert post() == 200
        assert post(origin=None) == 200
        assert post(**{"sec-fetch-site": None}) == 200
        assert post(path="/hpo" + PATH, base="/hpo") == 200

    @pytest.mark.parametrize(
        ("status", "otherwise"),
        [
            (403, {"token": LOOK}),
            (401, {"token": "x" * 43}),
            (403, {"host": "evil.example:8642", "origin": "http://evil.example:8642"}),
            (403, {"origin": "http://evil.example"}),
            (403, {"origin": "http://127.0.0.1:8643"}),
            (403, {"origin": "https://127.0.0.1:8642"}),
            (403, {"origin": "ftp://127.0.0.1:8642"}),
            (403, {"origin": "127.0.0.1:8642"}),
            (403, {"origin": "http://127.0.0.1:8642/"}),
            (403, {"host": "gpu7", "origin": "ftp://gpu7", "hosts": ["gpu7"]}),
            (403, {"origin": "null"}),
            (403, {"sec-fetch-site": "same-site"}),
            (403, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}),
            (403, {"sec-fetch-site": "none"}),
            (403, {"origin": None, "sec-fetch-site": None}),
            (415, {"content-type": "text/plain"}),
            (415, {"content-type": "application/x-www-form-urlencoded"}),
            (415, {"content-type": None}),
            (413, {"content-length": "4097"}),
            (413, {"content-length": "-1"}),
            (413, {"content-length": None, "body": b" " * 4097}),
            (405, {"path": "/api/e/0123456789ab/trials"}),
            (405, {"path": "/api/e/0123456789ab/commands/x"}),
            (405, {"path": "/api/e/../commands"}),
            (405, {"path": "/api/x/api/e/0123456789ab/commands"}),
            (405, {"steer": None}),
        ],
        ids=str,
    )
    def test_anything_less_is_refused(self, status, otherwise):
        assert post(**otherwise) == status

    def test_a_proxy_that_has_tls_and_a_name_of_its_own_is_a_page_of_this_server(self):
        for scheme in ("http", "https"):
            assert post(host="gpu7", origin=f"{scheme}://gpu7", hosts=["gpu7"]) == 200

    def test_a_signed_command_is_taken_once_with_its_body_and_by_who_may_steer(self):
        keys, body = Keys(LOOK, STEER), b'{"command":"hold"}'
        key = mac(STEER, "hpo serve", keys.boot)
        given = {"method": "POST", "path": PATH, "body": body}
        assert post(body=body, steer=keys, authorization=signed(key, **given)) == 200
        assert post(body=body, steer=keys, authorization=signed(key, **given)) == 401
        other = signed(key, **given, nonce="e" * 32)
        assert post(body=b'{"command":"end"}', steer=keys, authorization=other) == 401
        assert post(body=body, path=PATH.replace("0", "1"), steer=keys, authorization=other) == 401
        assert post(body=body, steer=Keys(LOOK, STEER), authorization=other) == 401, "of another process"
        looks = mac(LOOK, "hpo serve", keys.boot)
        assert post(body=body, steer=keys, authorization=signed(looks, **given, nonce="d" * 32)) == 403

    def test_a_body_that_does_not_come_to_its_end_is_not_waited_for_and_one_that_breaks_off_is_nobodys(
        self, monkeypatch
    ):
        monkeypatch.setattr(guard, "PATIENCE", 0.05)

        async def slowly():
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b" ", "more_body": True}

        async def gone():
            return {"type": "http.disconnect"}

        assert post(receive=slowly, **{"content-length": "4000"}) == 408
        assert post(receive=gone, **{"content-length": "4000"}) is None


# ---------------------------------------------------------------------- the page and a tuner


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    """A working directory whose one experiment can be started again and again, and its command."""
    work = Workplace(tmp_path_factory.mktemp("led"))
    work.benchmark(arguments={"epochs": 9, "sleep": 1.5}, max_num_trials=40, max_wallclock_time=600)
    return work, ("benchmark=mine", "method=ASHA", "experiment_tag=t", "random_seed=1")


@pytest.fixture
def tuner(led):
    """It runs, in a process that a test may end."""
    work, command = led
    directory = work.directory("t", "ASHA")
    before = load_experiment(directory).state.sessions if (directory / "events.db").exists() else 0
    process = work.start(*command)
    wait_until(lambda: (directory / "events.db").exists() and load_experiment(directory).state.sessions > before)
    wait_until(lambda: load_experiment(directory).state.running)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def server(led, tuner):
    work, _ = led
    one = Served(work, "--steer", "--token-file", str(work.path / "token"))
    one.steering = one.root + "#token=" + (work.path / "token.steer").read_text().strip()
    yield one
    if one.process.poll() is None:
        one.stop()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if reason := install():
        pytest.skip(reason)
    with browser(tmp_path_factory.mktemp("profile"), network=True) as opened:
        opened.driver.set_script_timeout(60)
        yield opened


def told(server, directory, content, token=None, method="POST", **headers):
    """Status and answer of a POST, or of a GET, as a program sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    token = token or server.steering.partition("token=")[2]
    given = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Origin": server.root.rstrip("/"),
        **headers,
    }
    connection.request(method, f"/api/e/{id_of(directory)}/commands", json.dumps(content), given)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


@pytest.mark.process
@pytest.mark.xdist_group("serve")
def test_programs_are_answered_and_looking_is_not_steering(led, server):
    work, _ = led
    directory = work.directory("t", "ASHA")
    began = time.perf_counter()
    assert told(server, directory, {"command": "hold"}) == (200, {"said": "Done: hold."})
    assert time.perf_counter() - began < 5
    assert told(server, directory, {"command": "hold"})[0] == 409
    assert told(server, directory, {"command": "go-on"})[0] == 200
    for limit in (41, 42, 40):
        assert told(server, directory, {"command": "budget", "arguments": {"max_num_trials": limit}})[0] == 200
        status, situation = told(server, directory, None, method="GET")
        assert (status, situation["budget"]["max_num_trials"]) == (200, limit), "at once, not with the next look"
        assert f"max_num_trials={limit}" in situation["says"]["budget"]
    assert told(server, directory, {"command": "hold"}, token=server.token)[0] == 403
    assert told(server, directory, {"command": "hold"}, Origin="http://evil.example")[0] == 403
    assert told(server, directory, [])[0] == 400
    assert told(server, directory / "elsewhere", {"command": "hold"})[0] == 404
    assert told(server, directory, {"command": "stop", "arguments": {"trial": 999}})[1]["error"].startswith(
        "It was rejected: there is no trial 999"
    )
    commands = [event.body for event in load_experiment(directory).events if event.kind == Kind.COMMANDED]
    assert [body["accepted"] for body in commands] == [True, False, True, True, True, True, False]
    assert {body["by"].rpartition(" by ")[2] for body in commands} == {"the page"}


@pytest.mark.process
@pytest.mark.xdist_group("serve")
def test_ctrl_c_ends_the_server_while_a_command_waits_for_its_tuner(led, server, tuner):
    work, _ = led
    directory = work.directory("t", "ASHA")
    owner = json.loads((directory / ".owner.json").read_text())["pid"]
    with ThreadPoolExecutor(1) as pool:
        os.kill(owner, signal.SIGSTOP)
        try:
            command = {"command": "budget", "arguments": {"max_num_trials": 40}}
            asked = pool.submit(told, server, directory, command)
            wait_until(lambda: any((directory / "commands").iterdir()))
            began = time.monotonic()
            assert server.stop(signal.SIGINT) == 128 + signal.SIGINT
            assert time.monotonic() - began < 3, "2 s alone; the suite's machine runs other tests meanwhile"
        finally:
            os.kill(owner, signal.SIGCONT)
        assert asked.result() == (202, {"said": "It is left for the tuner, which has not answered yet."})
    assert server.errors == ""


def until(window, script, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := window.run(script)):
        assert time.monotonic() < deadline, (script, window.messages())
        time.sleep(0.05)
    return found


def press(window, verb):
    """The button of a command; the dialog that it opens says what will happen."""
    until(window, f"const b = document.querySelector('[data-verb={verb}]'); return b && !b.disabled && !b.hidden")
    window.run(f"document.querySelector('[data-verb={verb}]').click()")
    return until(window, "return document.querySelector('dialog[open] #steer-says')?.textContent")


def confirm(window):
    window.run("document.querySelector('#steer-yes').click()")
    return until(
        window, "return !document.querySelector('dialog') && document.querySelector('#steer-said').textContent"
    )


OVERTAKEN = """
const answers = [], real = window.ask;
window.ask = () => new Promise(resolve => answers.push(resolve));
const steer = new Steer('/nowhere', {hold: 'Hold'}), said = why => ({why, says: {}, held: null, budget: {}});
steer.changed('it runs');
steer.changed('it is over');
window.ask = real;
answers[1](said('it is over'));
answers[0](said(null));
return new Promise(done => setTimeout(() => done([steer.why.textContent, steer.buttons.get('hold').disabled]), 50));"""
"""Of two questions the first is answered last."""


@pytest.mark.process
@pytest.mark.xdist_group("serve")
@pytest.mark.timeout(240)
def test_a_trial_is_stopped_and_the_budget_raised_and_all_is_killed_and_goes_on_and_nothing_is_doubled(
    led, tuner, server, window
):
    work, command = led
    directory = work.directory("t", "ASHA")
    home = f"{server.root}e/{id_of(directory)}"
    window.visit(server.steering)
    window.visit(home)
    assert window.run(OVERTAKEN) == ["The experiment cannot be told: it is over.", True]
    trial = next(iter(load_experiment(directory).state.running))
    window.visit(f"{home}/t/{trial}")
    assert "up to 30 s to save and end" in press(window, "stop")
    for width, scheme in ((1366, "light"), (360, "dark")):
        window.show(width, scheme)
        assert window.violations() == []
        assert window.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    window.show()
    assert confirm(window) == f"Done: stop trial {trial}."
    until(
        window, f"return document.querySelector('#steer-why').textContent === 'Trial {trial} has ended: it is stopped.'"
    )
    window.visit(home + "#" + server.steering.partition("#")[2])  # the page knows the link, and may come back
    until(window, "return document.documentElement.dataset.figures")
    assert window.run("return document.querySelector('#steered').textContent").startswith(
        f"steered: trial {trial} stopped"
    )
    assert "of 40 trials are done" in press(window, "budget")
    window.run("document.querySelector('#steer-max_num_trials').value = '1'")
    window.run("document.querySelector('#steer-yes').click()")
    until(
        window, "return document.querySelector('.failed').textContent.startsWith('It was rejected: max_num_trials=1')"
    )
    window.run("document.querySelector('#steer-max_num_trials').value = '50'")
    assert confirm(window) == "Done: max_num_trials 40 -> 50."
    until(window, "return document.querySelector('.budget').textContent.includes('of 50 trials')")
    server.stop(signal.SIGKILL)
    tuner.kill()
    tuner.wait()
    until(window, "return document.querySelector('#connection').dataset.state === 'disconnected'")
    again = work.start(*command)
    try:
        wait_until(lambda: load_experiment(directory).state.sessions >= 2)
        server.start()
        until(window, "return document.querySelector('#connection').dataset.state === 'live'")
        wait_until(lambda: len(load_experiment(directory).state.running) == 2)
        reports = load_experiment(directory).state.reports
        wait_until(lambda: load_experiment(directory).state.reports > reports)
        trials = lambda: load_experiment(directory).state.trials.values()  # noqa: E731
        wait_until(lambda: any(known.resource > 1 for known in trials()))  # else there are no curves
        assert "of 50 trials are done" in press(window, "end")
        confirm(window)
        assert again.wait(60) == 0
    finally:
        again.kill()
        again.communicate()
    until(window, "return document.querySelector('#subtitle').textContent.includes('complete: ended on request by')")
    until(window, "return document.documentElement.dataset.figures === document.documentElement.dataset.sequence")
    until(window, "return document.querySelector('#steer-why').textContent.includes('it is over: ended on request by')")
    assert window.run("return [...document.querySelectorAll('#steer button')].every(b => b.disabled)")
    experiment = load_experiment(directory)
    assert experiment.state.trials[trial].status == Status.STOPPED
    reports = [(e.trial, e.reached) for e in experiment.events if e.kind == Kind.REPORTED]
    assert len(reports) == len(set(reports)), "each is stored once"
    assert window.run("return document.querySelectorAll('.tile dd')[2].firstChild.nodeValue") == str(len(reports))
    figure = "[...document.querySelectorAll('figure')].find(f => f.textContent.includes('Learning curves'))"
    window.run(f"[...{figure}.querySelectorAll('button')].find(b => b.textContent === 'Numbers').click()")
    drawn = "return document.querySelectorAll('#table-numbers-curves tbody tr').length"
    until(window, drawn)
    assert window.run(drawn) == len(reports), "each is drawn once"
    assert "0 different" in succeeded(work.verb("replay", str(directory)))
    window.visit(server.link)
    window.visit(home)
    until(window, "return document.documentElement.dataset.figures")
    buttons = window.run("return document.querySelectorAll('#steer, [data-verb]').length")
    assert buttons == 0, "a link that looks has none"
