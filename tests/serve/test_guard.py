"""Every request passes the guard: rebinding, other sites, other methods, no token; whatever its path."""

import asyncio

import pytest

from hpo.serve.guard import POLICY, Guard

TOKEN = "k" * 43
COOKIE = "hpo-8642"
PATHS = (
    "/",
    "/e/0123456789ab",
    "/api/stream",
    "/api/e/0123456789ab/trials",
    "/assets/page.css",
    "/no/such",
    "//x",
    "/api/new/prefix",
)


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(path="/", method="GET", query="", host="127.0.0.1:8642", hosts=(), base="", **headers):
    """Status, headers and body. `host` may be several, or None."""
    given = [] if host is None else [(b"host", one.encode()) for one in ([host] if isinstance(host, str) else host)]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(inside, token=TOKEN, cookie=COOKIE, hosts=frozenset(hosts), base=base)
    asyncio.run(guard(scope, None, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent).decode()


def bearer(token=TOKEN):
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PATHS)
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
        ],
    )
    def test_a_name_that_was_made_to_point_here_is_refused(self, path, host):
        """DNS rebinding, CVE-2025-62593 and CVE-2025-14279: the browser sends the attacker's name."""
        assert ask(path, host=host, **bearer())[0] == 403

    def test_no_host_and_two_hosts_are_no_request(self, path):
        assert ask(path, host=None, **bearer())[0] == 400
        assert ask(path, host=["localhost", "evil.example"], **bearer())[0] == 400

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8642", "localhost:9", "LOCALHOST", "[::1]:8642", "[::1]"])
    def test_this_machine_by_its_own_names_is_let_in_with_any_port(self, path, host):
        assert ask(path, host=host, **bearer())[0] == 200

    def test_without_the_token_there_is_nothing(self, path):
        assert ask(path)[0] == 401
        for wrong in ("", "k" * 42, "k" * 44, TOKEN.upper(), "é" * 43):
            assert ask(path, **bearer(wrong) if wrong.isascii() else {"cookie": f"{COOKIE}={'x' * 43}"})[0] == 401
        assert ask(path, cookie=f"hpo-8643={TOKEN}")[0] == 401
        assert "inside" not in ask(path, query="token=wrong")[2]

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_page_of_another_site_or_port_fetches_nothing_though_its_browser_has_the_cookie(self, path, site):
        given = {"cookie": f"{COOKIE}={TOKEN}", "sec_fetch_site": site}
        assert ask(path, sec_fetch_mode="no-cors", **given)[0] == 403
        assert ask(path, sec_fetch_mode="cors", **given)[0] == 403
        assert ask(path, sec_fetch_mode="navigate", **given)[0] == 200

    def test_every_answer_has_the_policy_and_none_lets_another_origin_read_it(self, path):
        answers = [ask(path, **bearer()), ask(path), ask(path, host="evil.example"), ask(path, "DELETE", **bearer())]
        answers += [
            ask(path, query=f"token={TOKEN}"),
            ask(path, host=None),
            ask(path, origin="http://evil.example", **bearer()),
        ]
        assert [answer[0] for answer in answers] == [200, 401, 403, 405, 200, 400, 200]
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


def test_the_link_leaves_a_cookie_that_scripts_and_other_sites_do_not_get_and_no_token_in_the_address():
    status, headers, body = ask("/e/0123456789ab", query=f"sort=best&token={TOKEN}&q=a%26b", base="/hpo")
    assert status == 200
    assert headers["set-cookie"] == f"{COOKIE}={TOKEN}; HttpOnly; SameSite=Strict; Path=/hpo"
    assert 'content="0;url=/e/0123456789ab?sort=best&amp;q=a%26b"' in body
    assert TOKEN not in body
    assert ask(cookie=f"other=1; {COOKIE}={TOKEN}")[0] == 200


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", '/"><script>1</script>', "/;url=http://evil.example"]
)
def test_the_link_leads_nowhere_else(path):
    _, _, body = ask(path, query=f"token={TOKEN}")
    (target,) = [part.partition('"')[0] for part in body.split('content="0;url=')[1:]]
    assert target.startswith("/")
    assert not target.startswith("//")
    assert not set(target) & set("\\;<>'")
    assert "<script" not in body


def test_another_protocol_gets_no_answer():
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(inside, token=TOKEN, cookie=COOKIE)
    asyncio.run(guard({"type": "websocket", "path": "/", "headers": [], "query_string": b""}, None, send))
    assert sent == []
