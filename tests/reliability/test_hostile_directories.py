"""A directory that somebody else may write to, changed at random, against `hpo serve` and `hpo import`.

HPO_FUZZ_SEED says which changes. In full, 500 of them: none hangs, none has a file told that lies elsewhere, and Ctrl-C ends
the command within two seconds.
"""

import contextlib
import http.client
import os
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from hpo.serve.catalogue import id_of
from tests.reliability.fuzzing import SEED
from tests.reliability.harness import RUNS
from tests.reliability.hostile_directories import SECRET, bundle, mutate
from tests.serve.conftest import Story
from tests.support import forking

MUTATIONS = 500 if RUNS else 10
AT_ONCE = 10
"""Changed experiments that are served together, beside two that are not."""
ENDS = 2.0 if RUNS else 20.0
"""Seconds that Ctrl-C may take; the suite's machine runs other tests meanwhile."""
HANGS = 60.0
PATHS = ("stream", "charts/main", "configuration", "t/0", "t/0/log/0/stdout")

pytestmark = [pytest.mark.process, pytest.mark.long, pytest.mark.timeout(MUTATIONS * 60 + 120)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """An experiment that is complete, with a log."""
    directory = tmp_path_factory.mktemp("original") / "t" / "mine" / "RS" / "seed_0"
    story = Story(directory)
    for trial in range(30):
        story.start(trial)
        story.report(trial, 1, 50.0 + trial)
        story.end(trial)
    story.finish()
    story.store.close()
    (directory / "metadata.json").write_text('{"status": "complete", "benchmark": "mine"}')
    (directory / "trials" / "0" / "attempt_0").mkdir(parents=True)
    (directory / "trials" / "0" / "attempt_0" / "stdout.log").write_text("printed")
    (directory / "hpo.log").write_text("logged")
    (directory / "commands").mkdir()
    return directory


@contextlib.contextmanager
def serving(folder, errors):
    """`hpo serve` as a process, what it complains of in a file; gives its port and token, and how it is ended."""
    with errors.open("w") as log:
        process = forking.start("serve", "--no-browser", cwd=folder, env=dict(os.environ), stderr=log)
    port, _, token = process.stdout.readline().strip().removeprefix("http://127.0.0.1:").partition("/#token=")
    try:
        yield SimpleNamespace(port=int(port), token=token, process=process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def asked(server, path):
    """What the server answers; of a stream the first message that tells more than that it reads."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANGS)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
        answer = connection.getresponse()
        if not path.endswith("stream"):
            return answer.read()
        told = b""
        while b'"condition":"reading"' in told or not told.endswith(b"\n\n"):
            line = answer.readline()
            if not line:
                break
            told = b"" if told.endswith(b"\n\n") else told
            told += line
        return told


@pytest.mark.parametrize("first", range(0, MUTATIONS, AT_ONCE))
def test_nothing_in_a_served_directory_stalls_the_server_or_tells_of_what_lies_elsewhere(tmp_path, original, first):
    rng = random.Random(f"hostile directories {SEED} {first}")
    work = tmp_path / "work"
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}: [\n{SECRET}")
    directories = [work / "outputs" / f"t{i}" / "mine" / "RS" / "seed_0" for i in range(AT_ONCE + 2)]
    for directory in directories:
        shutil.copytree(original, directory)
    hostile, others = directories[:AT_ONCE], directories[AT_ONCE:]
    late = [rng.random() < 0.3 for _ in hostile]
    done = [mutate(one, rng, secret) for one, later in zip(hostile, late, strict=True) if not later]
    with serving(work, tmp_path / "errors") as server:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = [*pool.map(lambda one: asked(server, f"/api/e/{id_of(one)}/stream"), hostile)]
            done += [mutate(one, rng, secret) for one, later in zip(hostile, late, strict=True) if later]
            paths = [f"/api/e/{id_of(one)}/{path}" for one in hostile for path in PATHS]
            told += [*pool.map(lambda path: asked(server, path), [*paths, "/api/stream", "/latest"])]
        for one in others:
            told.append(answer := asked(server, f"/api/e/{id_of(one)}/t/0"))
            assert b'"status":"completed"' in answer
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=HANGS) == 128 + signal.SIGINT
        took = time.monotonic() - began
    said = f"HPO_FUZZ_SEED={SEED}, from {first}: {done}\n{(tmp_path / 'errors').read_text()[-3000:]}"
    assert not any(SECRET.encode() in answer for answer in told), said
    assert took <= ENDS, said


def test_no_file_that_is_imported_hangs_or_comes_without_a_sentence(tmp_path, original):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    for number in range(MUTATIONS):
        rng = random.Random(f"hostile imports {SEED} {number}")
        directory = tmp_path / "directory"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(original, directory)
        done = mutate(directory, rng, secret)
        bundle(directory, "t/nasbench201/RS/seed_0", tmp_path / "sent.zip", rng)
        shutil.rmtree(tmp_path / "outputs", ignore_errors=True)
        process = forking.start("import", "sent.zip", cwd=tmp_path, env=dict(os.environ))
        interrupted = rng.random() < 0.2
        if interrupted:
            time.sleep(rng.random() * 0.5)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANGS)
        took = time.monotonic() - began if interrupted else 0.0
        said = f"HPO_FUZZ_SEED={SEED}, import {number}: {done}\n{out}\n{err}"
        assert process.returncode in ((0, 1, 130) if interrupted else (0, 1)), said
        assert "Traceback" not in err or interrupted, said
        assert process.returncode != 1 or "hpo: error: " in err, said
        assert SECRET not in out + err, said
        assert took <= ENDS, said
