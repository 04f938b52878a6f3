"""The message of how an experiment ended: to a real server, once, and only when there is something to say."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hpo import load_config, run_experiment
from hpo.errors import ConfigError, HPOError
from hpo.events.callback import Callback
from tests.support.steps import STEPS

pytestmark = pytest.mark.process


@pytest.fixture
def service():
    """A server that keeps what is posted to it, and its address with a secret in it."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(
                (self.headers["Content-Type"], json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook/s3cret", received
        server.shutdown()


def run(folder, url, *, callbacks=(), **changes):
    benchmark = {**STEPS, "max_num_trials": 2, **changes}
    config = load_config(
        benchmark,
        "RS",
        experiment_tag="t",
        random_seed=1,
        callbacks={"chat": {"_target_": "hpo.trackers.Webhook", "url": url}},
    )
    return run_experiment(config, folder / "e", callbacks=callbacks)


def test_one_message_says_how_it_ended(tmp_path, service):
    url, received = service
    outcome = run(tmp_path, url)
    [(kind, message)] = received
    assert kind == "application/json"
    assert (message["event"], message["status"]) == ("ended", "complete")
    assert message["best"] == outcome.best
    assert "front" not in message
    assert message["trials"] == {"completed": 2}
    assert message["text"].startswith(f"{STEPS['name']} RS seed 0 complete after ")
    run(tmp_path, url)
    assert len(received) == 1, "an experiment that was over before says nothing"
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.log"))
    assert "s3cret" not in written


def test_what_breaks_says_why(tmp_path, service):
    url, received = service
    with pytest.raises(HPOError):
        run(tmp_path, url, script=None, command=["false"], preload=None, max_num_trials=40)
    [(_, message)] = received
    assert (message["event"], message["best"]) == ("broke", None)
    assert "failed" in message["reason"]


class Interrupting(Callback):
    """Ctrl-C at the first event."""

    def on_open(self, state):
        self.sent = False

    def on_event(self, event):
        if not self.sent:
            self.sent = True
            import signal

            signal.raise_signal(signal.SIGINT)


def test_what_a_person_ends_says_nothing(tmp_path, service):
    url, received = service
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, url, callbacks=[Interrupting()])
    assert received == []


def test_a_message_that_cannot_be_delivered_is_a_warning_without_the_address(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert run(tmp_path, "http://127.0.0.1:9/hook/s3cret").status == "complete"
    assert "could not be delivered" in caplog.text
    assert "s3cret" not in caplog.text


def test_what_is_no_address_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="begins with https"):
        run(tmp_path, "chat.example/hook")
    assert not (tmp_path / "e" / "trials").exists()
