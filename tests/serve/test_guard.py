"""Every request passes the guard: rebinding, other sites, other methods, no token; whatever its path."""

import asyncio
import hashlib
import hmac
import json
import time

import pytest

from hpo.serve.guard import POLICY, Guard
from hpo.serve.shell import Shell
from hpo.serve.signing import Keys

TOKEN = "k" * 43
ADDRESSES = (
    "/",
    "/e/0123456789ab",
    "/assets/page.css",
    "/no/such",
    "//x",
)
"""Of pages, which have nothing of any experiment."""
PATHS = ("/api/stream", "/api/e/0123456789ab/trials", "/api/new/prefix", "/api//", "/api/hello/more")
"""Of what tells something."""


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


async def shell(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"shell"})


def ask(
    path="/api/stream",
    method="GET",
    query="",
    host="127.0.0.1:8642",
    hosts=(),
    base="",
    keys=None,
    port=8642,
    **headers,
):
    """Status, headers and body. `host` may be several, or None."""
    given = [] if host is None else [(b"host", one.encode()) for one in ([host] if isinstance(host, str) else host)]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(inside, shell, keys=keys or Keys(TOKEN), hosts=frozenset(hosts), port=port, base=base)
    asyncio.run(guard({**scope, "headers": given}, None, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent).decode()


def bearer(token=TOKEN):
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", [*PATHS, *ADDRESSES])
class TestWhateverThePath:
    """There is no list of guarded paths that a new one could be missing in (CVE-2026-2611)."""

    @pytest.mark.parametrize(
        "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "QUERY"]
    )
    def test_what_could_change_something_is_refused_with_the_token_too(self, path, method):
        """CVE-2026-27482: a list of unsafe methods forgot DELETE. Here is a list of safe ones."""
        status, headers, body = ask(path, method, **bearer())
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert "inside" not in body

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example:8642",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8642",
            "evil.example#@localhost",
            "0.0.0.0",
            "",
            "[::1].evil.com",
            "[::1]evil.com:8642",
            "[::1",
            "127.0.0.1:80@evil.com",
            "127.0.0.1:8642:8642",
            "127.0.0.1:",
            "localhost:8642 ",
        ],
    )
    def test_a_name_that_was_made_to_point_here_is_refused(self, path, host):
        """DNS rebinding, CVE-2025-62593 and CVE-2025-14279: the browser sends the attacker's name."""
        assert ask(path, host=host, **bearer())[0] == 403

    def test_no_host_and_two_hosts_are_no_request(self, path):
        assert ask(path, host=None, **bearer())[0] == 400
        assert ask(path, host=["localhost", "evil.example"], **bearer())[0] == 400

    @pytest.mark.parametrize("host", ["127.0.0.1:8642", "LOCALHOST:8642", "[::1]:8642"])
    def test_this_machine_by_its_own_names_is_let_in(self, path, host):
        assert ask(path, host=host, **bearer())[0] == 200

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8643", "localhost:9", "[::1]:18642"])
    def test_this_machine_with_another_port_is_another_program_unless_it_is_allowed_or_a_socket_leads_here(
        self, path, host
    ):
        """Whoever has taken the port of an earlier server could pass on here what the pages of that one ask."""
        assert ask(path, host=host, **bearer())[0] == 403
        assert ask(path, host=host, hosts=["localhost", "127.0.0.1", "::1"], **bearer())[0] == 200
        assert ask(path, host=host, port=None, **bearer())[0] == 200
        assert ask(path, host=host, port=80, **bearer())[0] == (200 if host == "127.0.0.1" else 403)

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_page_of_another_site_or_port_fetches_nothing(self, path, site):
        given = {"sec_fetch_site": site, **bearer()}
        assert ask(path, sec_fetch_mode="no-cors", **given)[0] == 403
        assert ask(path, sec_fetch_mode="cors", **given)[0] == 403
        assert ask(path, sec_fetch_mode="navigate", **given)[0] == 200

    def test_every_answer_has_the_policy_and_none_lets_another_origin_read_it(self, path):
        answers = [ask(path, **bearer()), ask(path), ask(path, host="evil.example"), ask(path, "DELETE", **bearer())]
        answers += [ask(path, host=None), ask(path, origin="http://evil.example", **bearer())]
        open_to_all = 200 if path in ADDRESSES else 401
        assert [answer[0] for answer in answers] == [200, open_to_all, 403, 405, 400, 200]
        for _, headers, _ in answers:
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
            assert not [name for name in headers if name.startswith("access-control")]


def test_the_policy_allows_nothing_that_is_unsafe_or_elsewhere():
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "http" not in POLICY
    assert POLICY.startswith("default-src 'none'; ")


def test_a_name_is_allowed_by_being_named():
    assert ask(host="gpu7:8642", **bearer())[0] == 403
    assert ask(host="GPU7:8642", hosts=["gpu7"], **bearer())[0] == 200


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(path):
    assert ask(path)[0] == 401
    for wrong in ("", "k" * 42, "k" * 44, TOKEN.upper(), "x" * 43):
        assert ask(path, **bearer(wrong))[0] == 401
    assert ask(path, authorization=TOKEN)[0] == 401
    assert ask(path, query=f"token={TOKEN}", cookie=f"hpo-8642={TOKEN}; hpo={TOKEN}; token={TOKEN}")[0] == 401
    assert "inside" not in ask(path)[2]


@pytest.mark.parametrize("path", ["/apis/stream", "/api", "/", "/API/stream", "/hpo/api/stream", "/assets/api/x"])
def test_what_needs_no_token_is_given_by_the_application_that_knows_no_experiments(path):
    assert ask(path)[::2] == (200, "shell")
    assert ask(path, **bearer())[::2] == (200, "shell")
    assert ask("/hpo/api/stream", base="/hpo")[0] == 401


def test_a_page_is_the_same_for_everybody_and_sets_no_cookie():
    def page(**headers):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/e/0123456789ab", "raw_path": b"/e/0123456789ab"}
        given = [(b"host", b"127.0.0.1:8642"), *((k.encode(), v.encode()) for k, v in headers.items())]
        guard = Guard(inside, Shell(), keys=Keys(TOKEN), port=8642)
        asyncio.run(guard({**scope, "query_string": b"", "headers": given}, None, send))
        return sent

    assert page() == page(**bearer()) == page(cookie=f"hpo-8642={TOKEN}")
    assert page()[0]["status"] == 200
    assert not [name for name, _ in page()[0]["headers"] if name == b"set-cookie"]
    assert TOKEN.encode() not in page()[1]["body"]


def test_another_protocol_gets_no_answer():
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(inside, shell, keys=Keys(TOKEN))
    asyncio.run(guard({"type": "websocket", "path": "/", "headers": [], "query_string": b""}, None, send))
    assert sent == []


# ---------------------------------------------------------------------- proofs and signatures, from their definition

NONCE = "0123456789abcdef" * 2
STEER = "s" * 43
HOST = "127.0.0.1:8642"


def mac(key, *parts):
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def greeted(keys, host=HOST):
    status, _, body = ask("/api/hello", query=f"nonce={NONCE}", keys=keys, host=host)
    assert status == 200
    return json.loads(body)


def signed(key, path="/api/stream", query="", method="GET", host=HOST, at=None, nonce=NONCE, body=b""):
    at = f"{time.time() if at is None else at:.3f}"
    target = path + (f"?{query}" if query else "")
    digest = hashlib.sha256(body).hexdigest()
    return f"HPO-HMAC-SHA256 {at} {nonce} {mac(key, 'page', method, host, target, at, nonce, digest)}"


def test_the_server_proves_that_it_knows_both_secrets_to_whoever_asks_and_tells_neither():
    keys = Keys(TOKEN, STEER)
    told = greeted(keys)
    own = [mac(mac(secret, "hpo serve", told["boot"]), "server", NONCE, HOST) for secret in (TOKEN, STEER)]
    assert told["proofs"] == own
    assert abs(told["now"] - time.time()) < 60
    assert set(told) == {"boot", "now", "proofs"}
    assert len(greeted(Keys(TOKEN))["proofs"]) == 1
    for nonce in ("", "x" * 32, NONCE[:-1], NONCE + "0", NONCE.upper(), "page%0AGET"):
        assert ask("/api/hello", query=f"nonce={nonce}", keys=keys)[0] == 400
    assert ask("/api/hello", query=f"nonce={NONCE}", keys=keys, host="evil.example")[0] == 403
    assert ask("/api/hello", method="POST", query=f"nonce={NONCE}", keys=keys)[0] == 405


class TestSigned:
    """A request is taken once, as it was signed, by the process that it was signed for."""

    @pytest.fixture
    def keys(self):
        return Keys(TOKEN, STEER)

    @pytest.fixture
    def key(self, keys):
        return mac(TOKEN, "hpo serve", keys.boot)

    def test_it_is_taken_and_only_once(self, keys, key):
        query = "sort=best&q=a%20b"
        authorization = signed(key, query=query)
        assert ask(query=query, keys=keys, authorization=authorization)[::2] == (200, "inside")
        assert ask(query=query, keys=keys, authorization=authorization)[0] == 401
        assert ask(query=query, keys=keys, authorization=signed(key, query=query, nonce="f" * 32))[0] == 200

    def test_a_process_that_comes_back_with_the_same_secrets_takes_none_of_the_last_one(self, key):
        assert ask(keys=Keys(TOKEN, STEER), authorization=signed(key))[0] == 401

    def test_a_link_is_no_key(self, keys):
        assert ask(keys=keys, authorization=signed(TOKEN))[0] == 401

    @pytest.mark.parametrize(
        "otherwise",
        [{"path": "/api/t/x"}, {"method": "HEAD"}, {"query": "after=1"}, {"host": "localhost:8642"}],
        ids=str,
    )
    def test_anything_else_than_what_was_signed_is_refused(self, keys, key, otherwise):
        assert ask(keys=keys, authorization=signed(key))[0] == 200
        assert ask(keys=keys, authorization=signed(key, nonce="e" * 32), **otherwise)[0] == 401

    def test_it_is_refused_a_minute_later_and_earlier_and_those_that_were_taken_are_forgotten_only_then(
        self, keys, key, monkeypatch
    ):
        now = time.time()
        for seconds, status in ((-61, 401), (61, 401), (-58, 200), (58, 200)):
            authorization = signed(key, at=now + seconds, nonce=f"{seconds % 256:032x}")
            assert ask(keys=keys, authorization=authorization)[0] == status
        for later in (30, 59, 117):
            monkeypatch.setattr(time, "time", lambda later=later: now + later)
            assert ask(keys=keys, authorization=authorization)[0] == 401
            assert ask(keys=keys, authorization=signed(key, nonce=f"{later:032x}"))[0] == 200
        monkeypatch.setattr(time, "time", lambda: now + 121)
        assert ask(keys=keys, authorization=signed(key, nonce="d" * 32))[0] == 200
        assert len(keys._seen) == 4, "the two of the beginning are forgotten"

    def test_what_is_no_signature_is_refused_and_fills_no_memory(self, keys, key):
        good = signed(key)
        for bad in (good[:-1], good + "0", good.upper(), good.replace(" ", "  "), "HPO-HMAC-SHA256", "Basic eA==", "é"):
            assert ask(keys=keys, authorization=bad)[0] == 401
        for number in range(100):
            assert ask(keys=keys, authorization=signed("wrong", nonce=f"{number:032x}"))[0] == 401
        assert not keys._seen
