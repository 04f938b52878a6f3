"""Whether `hpo serve` stays the same for as long as it runs: memory, descriptors, and what its pages are told.

    python -m perf.serve_soak [--minutes 20]

An experiment reports ten times a second while streams are opened and closed, 1,000 of them in 20 minutes. On the way its
tuner's clock jumps, another experiment takes its place, its directory is taken away and put back, and its log is damaged.
"""

import argparse
import http.client
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from hpo.serve.catalogue import id_of
from perf.serve import Log, Server, served

OPENS_PER_MINUTE = 50


def told(server: Server, directory: Path, seconds: float = 5.0) -> dict[str, Any]:
    """What a page that opens now is told first, once the log is read."""
    port = int(server.root.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    connection.request("GET", f"/api/e/{id_of(directory)}/stream", headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    try:
        while True:
            line = answer.readline()
            if line.startswith(b"data: ") and (data := json.loads(line[6:])).get("condition") not in (None, "reading"):
                return dict(data)
    finally:
        connection.close()


def begin(directory: Path) -> Log:
    """Another experiment in the same place, as overwrite=true leaves it."""
    for path in sorted(directory.rglob("*"), reverse=True):
        path.unlink()
    directory.rmdir()
    log = Log(directory)
    log.fill(20, 5)
    log.append([log.start(20)])
    return log


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    minutes = parser.parse_args().minutes
    draw = random.Random(1)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "outputs" / "t" / "b" / "ASHA" / "seed_0"
        log = Log(directory)
        log.fill(20, 5)
        log.append([log.start(20)])
        reports, used, opens = 0, [], 0
        with served(Path(name)) as server:
            told(server, directory)
            time.sleep(5)
            end, started = time.monotonic() + 60 * minutes, time.monotonic()
            disturb = [end - 60 * minutes * share for share in (0.8, 0.6, 0.4, 0.2)]
            while time.monotonic() < end:
                reports += 1
                log.append([log.report(20, reports)])
                time.sleep(0.1)
                if opens < (time.monotonic() - started) / 60 * OPENS_PER_MINUTE:
                    opens += 1
                    found = told(server, directory)
                    if draw.random() < 0.2:
                        time.sleep(0.4)
                        found = told(server, directory)
                        if found["board"]["reports"] < 100 + reports - 5:
                            wrong.append(f"{found['board']['reports']} of {100 + reports} reports")
                if opens % 50 == 1:
                    memory = server.about.memory_full_info().uss / 1e6
                    used.append((memory, server.about.num_fds(), server.about.num_threads()))
                if disturb and time.monotonic() > disturb[0]:
                    left = len(disturb)
                    disturb.pop(0)
                    if left == 4:  # the tuner's clock jumps
                        log.first -= 3600.0
                    elif left == 3:  # another experiment in its place
                        log.store.close()
                        log, reports = begin(directory), 0
                    elif left == 2:  # taken away for a while
                        directory.rename(directory.with_name("elsewhere"))
                        time.sleep(3)
                        if told(server, directory)["condition"] != "missing":
                            wrong.append("a directory that was taken away is not missing")
                        directory.with_name("elsewhere").rename(directory)
                        time.sleep(3)
                    else:  # damaged, and another one begun
                        log.store.close()
                        log.store.path.write_bytes(draw.randbytes(8192))
                        time.sleep(3)
                        if not told(server, directory)["trouble"]:
                            wrong.append("a damaged log is not said to be one")
                        log, reports = begin(directory), 0
                        time.sleep(3)
            cpu = server.cpu()
        log.store.close()
    first, last = used[: max(len(used) // 3, 1)], used[-max(len(used) // 3, 1) :]
    for at, what in enumerate(("MB", "descriptors", "threads")):
        early, late = (statistics.median(one[at] for one in some) for some in (first, last))
        print(f"{what}: {early:.1f} in the first third, {late:.1f} in the last")
    print(f"{opens} streams in {minutes:g} minutes, {cpu:.1f} s of the server's processor; wrong: {wrong or 'nothing'}")


if __name__ == "__main__":
    main()
