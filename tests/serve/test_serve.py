"""`hpo serve` as people meet it: a command, its pages in a real browser, and requests that mean no good."""

import http.client
import json
import os
import shutil
import signal
import socket
import socketserver
import threading
import time

import pytest

from tests.conftest import error_of
from tests.serve.conftest import CLOSING, HOSTILE, Served, Story
from tests.support import forking
from tests.support.browser import browser, install
from tests.support.forwarding import carry
from tests.support.marks import or_slow

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("serve")]

SOON = 20.0
SEQUENCE = "return document.documentElement.dataset.sequence"
"""The number of the last event that the page knows."""


@pytest.fixture(scope="module")
def window(tmp_path_factory, served):
    if reason := install():
        pytest.skip(reason)
    with browser(tmp_path_factory.mktemp("profile"), network=True) as opened:
        opened.driver.set_script_timeout(60)
        opened.visit(served.link)
        yield opened


@pytest.fixture(autouse=True)
def usual(request):
    yield
    if "window" in request.fixturenames:
        request.getfixturevalue("window").show()


def ask(served, path, method="GET", **headers):
    """Status, headers and body, with the token unless other headers are given."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request(method, path, headers=headers or {"Authorization": f"Bearer {served.token}"})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def stream_request(served):
    host = f"localhost:{served.port}"
    return f"GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {served.token}\r\n\r\n".encode()


def rows(window):
    cells = "r.cells[0].textContent + '|' + r.cells[2].textContent"
    return window.run(f"return [...document.querySelectorAll('main tbody tr')].map(r => {cells})")


def until(window, script, *arguments, seconds=SOON):
    deadline = time.monotonic() + seconds
    while not (found := window.run(script, *arguments)):
        assert time.monotonic() < deadline, (script, window.messages())
        time.sleep(0.05)
    return found


SETTLED = """
const rows = document.querySelectorAll('main tbody tr').length;
return rows === arguments[0] && !document.querySelector('main tbody').textContent.includes('reading')"""
ADDRESS = """
const rows = [...document.querySelectorAll('main tbody tr')];
return rows.find(r => r.textContent.includes(arguments[0])).querySelector('a').href"""


def front(window, served):
    window.visit(served.root)
    until(window, SETTLED, 6)


@pytest.fixture(scope="module")
def addresses(window, served):
    """Of an experiment with logs, a hostile one, a simulated one, and a tag."""
    front(window, served)
    found = {name: window.run(ADDRESS, name) for name in ("real", "hostile")}
    found["simulated"] = window.run(ADDRESS, "ASHA · seed 1")
    found["tag"] = window.run("return [...document.querySelectorAll('main a')].find(a => a.textContent === 't').href")
    found |= {"trial": found["real"] + "/t/1", "hostile trial": found["hostile"] + "/t/0"}
    return found | {"front": served.root, "missing": served.root + "e/no"}


PAGES = ("front", "real", "simulated", "hostile", "trial", "hostile trial", "tag", "missing")


@pytest.mark.parametrize("page", or_slow(PAGES, ("front", "simulated", "trial", "tag", "missing")))
def test_a_page_is_drawn_fits_a_phone_is_silent_and_axe_finds_nothing_wrong(window, served, addresses, page):
    window.messages()
    window.requested()
    for width, scheme in ((1366, "light"), (360, "dark")):
        window.show(width, scheme)
        window.visit(addresses[page])
        if page in ("real", "simulated", "hostile"):
            until(window, "return document.documentElement.dataset.figures && document.documentElement.dataset.trials")
        assert window.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        dark = window.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
        assert window.violations() == []
    said = [message for message in window.messages() if not (page == "missing" and "404" in message)]
    assert said == []
    asked = [address for address in window.requested() if not address.startswith(("data:", "chrome:"))]
    assert asked
    assert all(address.startswith(served.root) for address in asked), asked
    assert "token" not in "".join(asked)


MOVING = """
const moves = (s) => parseFloat(s.transitionDuration) > 0 ||
  (s.animationName !== 'none' && parseFloat(s.animationDuration) > 0);
return [...document.querySelectorAll('*')].filter(e => moves(getComputedStyle(e))).map(e => e.parentElement.className)"""


@pytest.mark.parametrize("page", ["front", "real"])
def test_nothing_moves_for_people_who_want_no_motion(window, addresses, page):
    window.visit(addresses[page])
    if page == "real":
        until(window, "return document.documentElement.dataset.figures && document.documentElement.dataset.trials")
        assert "bar" in window.run(MOVING), "else it does not move for anybody"
    window.show(motion="reduce")
    assert window.run(MOVING) == []
    assert window.run("return getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_text_of_users_stays_text(window, addresses):
    for page in ("hostile", "hostile trial"):
        window.visit(addresses[page])
        if page == "hostile":
            until(window, "return document.documentElement.dataset.trials")
            cells = window.run("return [...document.querySelectorAll('#trials tbody td')].map(c => c.textContent)")
            assert {HOSTILE, CLOSING, "&lt;i&gt;"} <= set(cells)
            assert "<b>bold" in window.run("return document.querySelector('#trials thead').textContent")
            assert HOSTILE in window.run("return document.querySelector('#failures').textContent")
            window.run("document.querySelector('#configuration summary').click()")
            until(
                window,
                "return document.querySelector('#configuration pre').textContent.includes(arguments[0])",
                HOSTILE,
            )
        else:
            until(window, "return document.querySelector('#logs pre').textContent.includes(arguments[0])", CLOSING)
        for area in window.driver.find_elements("css selector", ".area"):
            area.send_keys("\ue014")  # arrow right: labels of points are texts of users, too
        assert window.run("return window.hacked") is None
        assert window.run("return document.images.length + document.querySelectorAll('main script').length") == 0


def test_what_is_chosen_is_in_the_address_and_back_and_forward_keep_it(window, served):
    from selenium.webdriver.common.keys import Keys

    front(window, served)
    whole = rows(window)
    window.driver.find_element("xpath", "//button[starts-with(., 'complete')]").send_keys(Keys.ENTER)
    window.driver.find_element("css selector", "main input").send_keys("asha")
    window.driver.find_element("xpath", "//th//button[starts-with(., 'best')]").send_keys(Keys.SPACE)
    chosen = rows(window)
    assert len(chosen) == 2
    assert all("ASHA" in row for row in chosen)
    address = window.driver.current_url
    assert all(part in address for part in ("q=asha", "state=complete", "sort=best"))
    window.driver.back()
    window.driver.back()
    until(window, "return location.search === ''")
    assert rows(window) == whole
    window.driver.forward()
    window.driver.forward()
    until(window, "return location.search.includes('sort=best')")
    assert rows(window) == chosen
    window.visit(address)
    until(window, SETTLED, 2)
    assert rows(window) == chosen


def test_the_table_of_trials_is_sorted_searched_and_paged_by_the_server_with_the_keyboard(window, addresses):
    from selenium.webdriver.common.keys import Keys

    column = "return [...document.querySelectorAll('#trials tbody tr')].map(r => r.cells[arguments[0]].textContent)"
    window.visit(addresses["simulated"])
    until(window, "return document.documentElement.dataset.trials")
    number = window.run(
        "return [...document.querySelectorAll('#trials th')].findIndex(h => h.textContent.startsWith('best'))"
    )
    window.driver.find_element("css selector", f"#trials th:nth-child({number + 1}) button").send_keys(Keys.ENTER)
    until(window, "return document.querySelector('#trials th[aria-sort=ascending]')?.textContent.startsWith('best')")
    until(window, f"{column.replace('return', 'const v =')}; return +v[0] <= +v[1] && +v[1] <= +v[2]", number)
    window.driver.find_element("xpath", "//section[@id='trials']//button[.='Next']").send_keys(Keys.ENTER)
    until(window, "return document.querySelector('#trials [role=status]').textContent.startsWith('101')")
    assert "page=1" in window.driver.current_url
    window.driver.find_element("css selector", "#trials input").send_keys("completed")
    until(
        window,
        "return [...document.querySelectorAll('#trials tbody tr')].every(r => r.cells[1].textContent === 'completed')",
    )
    assert "page" not in window.driver.current_url


def test_from_the_first_page_to_a_log_by_keyboard_alone(window, served, addresses):
    from selenium.webdriver.common.keys import Keys

    front(window, served)

    def press_until(holds, key=Keys.TAB, most=80):
        for _ in range(most):
            window.driver.switch_to.active_element.send_keys(key)
            if window.run(f"return {holds}"):
                return
        raise AssertionError(holds)

    press_until("document.activeElement.textContent.startsWith('mine')")
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(window, "return document.documentElement.dataset.trials && location.pathname.startsWith('/e/')")
    press_until("document.activeElement.closest('#trials tbody a') !== null")
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(window, "return location.pathname.includes('/t/') && document.documentElement.dataset.log")
    press_until("document.activeElement.textContent.startsWith('stdout of')")
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(window, "return document.querySelector('#logs pre').textContent.startsWith('x is --x=')")
    assert "log=" in window.driver.current_url


@pytest.fixture
def running(place):
    """An experiment that goes on while it is watched."""
    story = Story(place.path / "outputs" / "later" / "mine" / "RS" / "seed_0")
    story.start(0)
    story.report(0, 1, 50.0)
    yield story
    story.close()
    shutil.rmtree(place.path / "outputs" / "later")


def test_a_report_stands_in_the_page_which_comes_back_by_itself_when_the_server_does(window, served, place, running):
    from selenium.webdriver.common.keys import Keys

    window.visit(f"{served.root}latest#token={served.token}")
    until(window, "return document.documentElement.dataset.figures")
    search = window.driver.find_element("css selector", "#trials input")
    search.send_keys("0")
    tile = "return document.querySelectorAll('.tile dd')[2].firstChild.nodeValue"
    for epoch in (2, 3, 4):
        running.report(0, epoch, 50.0 + epoch)
        until(window, f"{tile} === '{epoch}'")
    assert window.run("return document.activeElement.matches('#trials input')"), "focus stays where it was"
    served.stop(signal.SIGKILL)
    until(window, "return document.querySelector('#connection').dataset.state === 'disconnected'", seconds=3)
    running.report(0, 5, 55.0)
    time.sleep(0.3)
    link = served.link
    served.start()
    assert served.link == link, "the token is kept in a file"
    until(window, f"{tile} === '5'")
    running.report(0, 6, 56.0)
    until(window, f"{tile} === '6'")
    until(window, "return document.querySelector('#figure-curves .mark')")
    running.end(0)
    running.finish()
    until(window, "return document.querySelector('#subtitle').textContent.includes('complete: it is over')")
    until(window, "return document.documentElement.dataset.figures === document.documentElement.dataset.sequence")
    window.driver.find_element("xpath", "//figure[.//h3='Learning curves']//button[.='Numbers']").send_keys(Keys.ENTER)
    cells = "[...r.cells].slice(-2).map(c => +c.textContent)"
    shown = window.run(f"return [...document.querySelectorAll('#table-numbers-curves tbody tr')].map(r => {cells})")
    assert shown == [[1, 50], *([epoch, 50 + epoch] for epoch in range(2, 7))]


def test_updates_can_be_paused_and_hidden_pages_ask_for_nothing(window, served, running):
    from selenium.webdriver.common.keys import Keys

    window.visit(served.root + "latest")
    until(window, "return document.documentElement.dataset.figures")
    until(window, f"{SEQUENCE} === '3'")
    pause = window.driver.find_element("css selector", "#pause")
    pause.send_keys(Keys.ENTER)
    assert pause.get_attribute("aria-pressed") == "true"
    assert "paused=1" in window.driver.current_url
    running.report(0, 2, 51.0)
    time.sleep(1.0)
    assert window.run(SEQUENCE) == "3"
    pause.send_keys(Keys.SPACE)
    until(window, f"{SEQUENCE} === '4'")


def test_eight_tabs_of_a_browser_are_all_kept_up_to_date(window, served, running):
    """HTTP/1.1 gives a browser six connections per host: pages that are not seen close theirs."""
    driver = window.driver
    first = driver.current_window_handle
    window.visit(served.root + "latest")
    try:
        for _ in range(7):
            driver.switch_to.new_window("tab")
            window.visit(served.root + "latest")
        running.report(0, 2, 51.0)
        for handle in driver.window_handles:
            driver.switch_to.window(handle)
            until(window, f"{SEQUENCE} === '4'")
    finally:
        for handle in driver.window_handles:
            if handle != first:
                driver.switch_to.window(handle)
                driver.close()
        driver.switch_to.window(first)


# ---------------------------------------------------------------------- requests that mean no good


@pytest.mark.parametrize(
    "path",
    [
        "/api/e/..%2f..%2fetc/configuration", "/e/../../../../etc/passwd", "/assets/..%2f..%2fapp.py", "/assets/../app.py",
        "/api/e/{id}/t/1/log/0/..%2f..%2f..%2f..%2fexperiment.yaml", "/api/e/{id}/t/1/log/0/reports.jsonl",
        "/api/e/{id}/t/-1",
        "/api/e/{id}/t/1/log/0/stdout.log", "/api/e/{id}/t/99999999999999999999/log/0/stdout", "/api/e/{id}/charts/..%2fx",
        "/api/e/{id}/t/1e3", "/api/t/{id}", "/.token", "/token", "/outputs/real", "/api/e/{id}/t/" + "9" * 5000,
        "/api/e/{id}/t/1/log/" + "9" * 5000 + "/stdout", "/api/e/" + "9" * 5000 + "/trials", "/e/{id}/t/" + "9" * 5000,
    ],
)  # fmt: skip
def test_no_path_of_a_request_leads_to_a_file(served, addresses, path):
    status, headers, body = ask(served, path.replace("{id}", addresses["real"].rpartition("/")[2]))
    assert status == 404
    assert b"root:" not in body
    assert b"config_space" not in body
    assert "content-security-policy" in headers


def test_logs_are_plain_text_whatever_is_in_them(served, addresses):
    status, headers, body = ask(served, f"/api/e/{addresses['hostile'].rpartition('/')[2]}/t/0/log/0/stdout")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (
        200,
        "text/plain; charset=utf-8",
        "nosniff",
    )
    assert CLOSING.encode() in body


def test_odd_questions_get_an_answer_and_no_traceback(served, addresses):
    root = f"/api/e/{addresses['real'].rpartition('/')[2]}"
    for query in (
        "page=-1",
        "page=x",
        "page=" + "9" * 300,
        "sort=__class__&down=1",
        "sort=x.__dict__",
        "q=" + "a" * 5000,
        "q=%00%ff",
    ):
        status, _, body = ask(served, f"{root}/trials?{query}")
        assert status == 200
        assert len(json.loads(body)["rows"]) in (0, 3)
    assert ask(served, f"{root}/stream", method="HEAD")[0] == 200


def test_whoever_has_no_token_gets_a_page_that_says_what_to_do(window, served):
    window.visit(served.root)
    window.run("localStorage.clear()")
    for address in (served.root, served.root + "#token=" + "x" * 43):
        window.driver.get("about:blank")
        window.visit(address)
        said = "return document.querySelector('#notice').textContent"
        begins = "What answers at this address" if "#" in address else "Open the link that hpo serve has printed"
        assert until(window, said).startswith(begins)
        assert window.run("return document.querySelector('main').textContent") == ""
        assert window.run("return location.hash") == ""
    window.run("location.href = arguments[0]", served.link)  # in the same page, which is not loaded again
    until(window, "return document.querySelector('main tbody tr')")
    assert window.run(said) == ""
    status, _, body = ask(served, "/api/latest", Accept="*/*")
    assert status == 401
    assert b"Open the link that hpo serve has printed" in body


def test_pages_beyond_the_limit_are_refused_and_others_go_on(served):
    held = []
    try:
        for _ in range(17):
            connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
            connection.sendall(stream_request(served))
            held.append(connection)
        statuses = [connection.recv(12) for connection in held]
        assert statuses.count(b"HTTP/1.1 200") <= 16
        assert statuses.count(b"HTTP/1.1 503") >= 1
        assert ask(served, "/")[0] == 200
    finally:
        for connection in held:
            connection.close()
    deadline = time.monotonic() + SOON
    while True:  # those that have gone are noticed
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            connection.sendall(stream_request(served))
            if connection.recv(12) == b"HTTP/1.1 200":
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)


UNENDED = {
    "a head": (b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n", b"X-Slow: 1\r\n", b""),
    "a body that is not read": (
        b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9000\r\n\r\n",
        b"x",
        b"HTTP/1.1 200",
    ),
    "a body that is refused": (
        b"POST / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9000\r\n\r\n",
        b"x",
        b"HTTP/1.1 405",
    ),
}


@pytest.mark.parametrize("what", or_slow(UNENDED, ("a head", "a body that is not read")))
def test_a_request_that_does_not_come_to_its_end_holds_no_connection(served, what):
    begin, drop, answer = UNENDED[what]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(begin % served.port)
        began, got = time.monotonic(), b""
        while time.monotonic() - began < SOON:
            connection.settimeout(0.5)
            try:
                connection.sendall(drop)
                if not (part := connection.recv(10_000)):
                    break
                got += part
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began < SOON
        assert got.startswith(answer)


def test_commands_that_come_slowly_or_break_off_are_answered_in_time_and_leave_no_traceback(place, tmp_path):
    server = Served(place, "t", "--steer", "--token-file", str(tmp_path / "token"))
    try:
        host = f"127.0.0.1:{server.port}"
        head = f"POST /api/e/0123456789ab/commands HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(60)]
        for connection in held:
            connection.sendall(head.encode())
        began = time.monotonic()
        for connection in held[:30]:
            connection.close()
        for connection in held[30:]:
            assert connection.recv(12) == b"HTTP/1.1 408"
            connection.close()
        assert time.monotonic() - began < SOON
        assert ask(server, "/api/latest")[0] == 200
    finally:
        server.stop()
    assert server.errors == ""


def is_open(connection):
    """Whether the other side has not closed it; what it has sent is read."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def test_connections_that_show_no_link_do_not_keep_out_those_that_do(place):
    server = Served(place, "t")
    idle = []
    page = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    try:
        page.sendall(stream_request(server))
        assert page.recv(12) == b"HTTP/1.1 200"
        for _ in range(4):
            idle += [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(100)]
            assert ask(server, "/api/latest")[0] == 200
        closed = sum(not is_open(connection) for connection in idle)
        assert len(idle) - 128 <= closed < len(idle), "the oldest of them, and no more than must be"
        assert is_open(page)
    finally:
        for connection in (*idle, page):
            connection.close()
        server.stop()
    assert server.errors == ""


# ---------------------------------------------------------------------- the command


def test_two_servers_have_two_ports_and_ctrl_c_ends_one_at_once_with_pages_open(place, served):
    other = Served(place, "t")
    try:
        assert other.port != served.port
        page = socket.create_connection(("127.0.0.1", other.port), timeout=20)
        page.sendall(stream_request(other))
        assert page.recv(12) == b"HTTP/1.1 200"
        assert ask(served, "/api/latest", Authorization=f"Bearer {other.token}")[0] == 401, "each has its own token"
    finally:
        began = time.monotonic()
        code = other.stop(signal.SIGINT)
    assert code == 130
    assert time.monotonic() - began < SOON
    page.close()
    assert other.errors == ""


class Forward(socketserver.ThreadingTCPServer):
    """What `ssh -L PORT:SOCKET` is on the side of the browser: connections to a port are led to a socket."""

    daemon_threads = True

    def __init__(self, path):
        self.path = path
        super().__init__(("127.0.0.1", 0), Forwarded)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Forwarded(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(str(self.server.path))
            back = threading.Thread(target=carry, args=(there, self.request), daemon=True)
            back.start()
            carry(self.request, there)
            back.join()


def test_a_socket_is_for_this_user_alone_and_a_browser_steers_by_way_of_it(place, window):
    path = place.path / "own" / "serve.sock"
    command = ("serve", "--no-browser", "--steer", "t", "--socket", str(path))
    process = forking.start(*command, cwd=place.path, env=dict(os.environ))
    try:
        line = process.stdout.readline()
        assert f"ssh -L 8642:{path}" in line
        token = process.stdout.readline().partition("http://localhost:8642/#token=")[2].strip()
        assert len(token) == 43
        steering = process.stdout.readline().partition("#token=")[2].split()[0]
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(path))
            connection.sendall(
                f"GET /api/latest HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            assert connection.recv(12) == b"HTTP/1.1 200"
        with Forward(path) as forward:
            window.visit(f"http://localhost:{forward.server_address[1]}/latest#token={steering}")
            until(window, "return document.documentElement.dataset.figures")
            why = until(window, "return document.querySelector('#steer-why').textContent")
            assert why == "The experiment cannot be told: it is simulated, and finishes too soon to be steered."
            window.driver.get("about:blank")
            forward.shutdown()
        second = place.verb("serve", "--no-browser", "t", "--socket", str(path))
        assert "another server uses it" in error_of(second)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 128 + signal.SIGTERM
        process.stdout.close()
        process.stderr.close()
    assert not path.exists()


def test_mistakes_are_one_sentence_each(place, served, tmp_path):
    def error(*arguments):
        done = place.verb("serve", "--no-browser", *arguments)
        assert done.returncode != 0
        return error_of(done)

    assert (
        error("--port", str(served.port))
        == f"--port {served.port}: another program uses it; choose another, or leave --port out"
    )
    assert error("nowhere").startswith("nowhere: there is no experiment")
    assert error("--host", "0.0.0.0").startswith(
        "--host 0.0.0.0: others on the network could reach it; add --host-name NAME"
    )
    assert error("--host", "192.0.2.1", "--host-name", "x").startswith("--host 192.0.2.1 --port 8642: cannot be used")
    assert error("--port", "70000") == "--port 70000: use a number from 1024 to 65535"
    assert error("--base-path", "a b").startswith("--base-path a b: use a path such as /hpo")
    token = tmp_path / "token"
    token.write_text("short")
    token.chmod(0o644)
    assert error("--token-file", str(token)).endswith(f"others may read it; chmod 600 {token}")
    token.chmod(0o600)
    assert "has no token of 22 or more" in error("--token-file", str(token))
    file = tmp_path / "file"
    file.touch()
    assert error("--socket", str(file)) == f"--socket {file}: there is a file of that name; choose another"
    shared = tmp_path / "shared"
    for mode, folder in ((0o777, shared), (0o1777, shared), (0o770, shared), (0o777, shared / "mine")):
        shared.mkdir(exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        shared.chmod(mode)
        assert error("--socket", str(folder / "s")) == (
            f"--socket {folder / 's'}: others may write to {shared}, and put their own there; use a folder of yours, such "
            "as ~/.hpo/serve.sock"
        )
    assert error("--socket", str(tmp_path / "no" / "no" / "s")).endswith("name a place you may write to")
    assert error("--socket", str(tmp_path / "s"), "--port", "9000") == "--socket: goes without --port and --host"
