"""Hours of bad luck in minutes: random faults one after the other, and nothing lost, doubled, mixed or left behind.

HPO_SOAK_MINUTES says how long (a part of a minute in the suite, 20 minutes with `make reliability`), HPO_SOAK_SEED which
faults. An experiment grows and its tuner with it, so every few hundred trials it is brought to its end and another begins:
growth over sessions is then no growth of the experiment.
"""

import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from hpo.host import process_marks
from tests.reliability.harness import RUNS, wait_until
from tests.reliability.soaking import GRACE, Growth, SoakedProject, first_and_last, pause, send

MINUTES = float(os.environ.get("HPO_SOAK_MINUTES", "20" if RUNS else "0.3"))
SEED = int(os.environ.get("HPO_SOAK_SEED", str(time.time_ns() % 10**6) if RUNS else "1"))
TRIALS = 1000
"""An experiment with so many is brought to its end."""

SURVIVED = "the session goes on"
EXITS = {
    "kill -9 of the tuner": {-signal.SIGKILL},
    "kill -9 of tuner and host": {-signal.SIGKILL},
    "SIGTERM to the tuner": {143, -signal.SIGTERM},  # the negative ones: before it has its handlers
    "SIGINT to the tuner": {130, -signal.SIGINT},
    "SIGHUP to the tuner": {129, -signal.SIGHUP},
    "full disk": {1},
}
"""The exit codes that a fault may lead to; a fault that is not here must not end the session."""
FAULTS = (
    *EXITS,
    "kill -9 of the host",
    "kill -9 of a trial",
    "kill -9 of all trials",
    "kill -9 of a grandchild",
    "SIGTERM to a trial",
    "SIGSTOP and SIGCONT of the tuner",
    "SIGSTOP and SIGCONT of the host",
    "SIGSTOP and SIGCONT of a trial",
    "jump of the wall clock",
)
JUMPS = (-86_400, -3600, -1, 3600, 86_400, 31_536_000)


class Soak:
    """Sessions of experiments, and the faults they are given."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.outcomes: dict[str, Counter] = defaultdict(Counter)
        self.sums: Counter = Counter()
        self.tuners: list[Growth] = []
        self.hosts: list[Growth] = []
        self._deck: list[str] = []
        self._nobody_looks_after_trials = False
        """The host was killed, and no tuner has come to sweeping what it left."""
        self._settled = False
        """Both processes are up and trials report: what they use now is what they use."""
        self._begin()

    # ------------------------------------------------------------------ experiments and sessions

    def _begin(self) -> None:
        self.sums["experiments"] += 1
        self.project = SoakedProject(self.folder / str(self.sums["experiments"]), self.rng)
        self._session()

    def _session(self) -> None:
        self.sums["sessions"] += 1
        self.tuner = self.project.start()
        self.host: int | None = None
        self._settled = False
        self.tuners.append(Growth())

    def close(self) -> None:
        """Leave nothing behind, also after a failure."""
        self.tuner.kill()
        self.tuner.wait()
        process_marks.sweep(self.project.mark, GRACE)
        self.project.unmount()

    def conclude(self) -> None:
        """Bring the experiment to its end and look at everything in it."""
        if self.tuner.poll() is None:
            self.tuner.terminate()
        assert self.tuner.wait(60) in EXITS["SIGTERM to the tuner"], self._said()
        self.project.overrides.append(f"max_num_trials={self.project.trials_started() + 1}")
        self.sums["sessions"] += 1
        assert self.project.finish(300) == 0, self._said()
        self.project.wait_for_no_process()
        self.sums += self.project.check(complete=True)
        output = self.project.output()
        assert "an error in hpo itself" not in output, output[-5000:]
        assert "Logging error" not in output, output[-5000:]
        interrupted_while_starting = output.count("\nKeyboardInterrupt")
        assert output.count("Traceback (most recent call last)") <= interrupted_while_starting, output[-5000:]

    def run(self, seconds: float) -> None:
        """Faults until the time is up."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._wait()
            self._hurt()
            if self.project.trials_started() >= TRIALS:
                self.conclude()
                self.project.unmount()
                self._begin()
        self.conclude()

    def _wait(self) -> None:
        """Until the next fault: mostly until there is something to be lost, at times not even that long."""
        if self.rng.random() < 0.15:
            self._look_for(self.rng.uniform(0, 1.0))
            return
        before = self.project.acknowledged()
        wait_until(lambda: self._look() and self.project.acknowledged() > before, 120, "a report after a fault")
        if self.project.host(self.tuner) is not None:
            self._nobody_looks_after_trials, self._settled = False, True
        self._look_for(self.rng.expovariate(0.8))

    def _look_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()

    def _look(self) -> bool:
        """Take measures; nobody may have ended the session."""
        time.sleep(0.1)
        assert self.tuner.poll() is None, f"the session ended by itself ({self.tuner.returncode}): {self._said()}"
        if not self._settled:
            return True
        self.tuners[-1].look(self.tuner.pid)
        if self.host is None or not Path(f"/proc/{self.host}").exists():
            self.host = self.project.host(self.tuner)
            self.hosts.append(Growth())
        if self.host is not None:
            self.hosts[-1].look(self.host)
        return True

    # ------------------------------------------------------------------ faults

    def _hurt(self) -> None:
        if not self._deck:
            self._deck = self.rng.sample(FAULTS, len(FAULTS))
        fault = self._deck.pop()
        self._nobody_looks_after_trials |= fault in ("kill -9 of tuner and host", "kill -9 of the host")
        self._settled &= fault != "kill -9 of the host"
        if fault in EXITS:
            if fault == "full disk" and not self.project.has_own_disk:
                self.outcomes[fault]["left out: nobody but root can mount a small disk"] += 1
            elif self._end_session(fault):
                self._after(fault)
        elif self._disturb(fault):
            self.outcomes[fault][SURVIVED] += 1
        else:
            self.outcomes[fault]["came before there was such a process"] += 1

    def _end_session(self, fault: str) -> bool:
        match fault:
            case "kill -9 of the tuner":
                self.tuner.kill()
            case "kill -9 of tuner and host":
                host = self.project.host(self.tuner)
                for pid in self.rng.sample([self.tuner.pid, *([host] if host else [])], 2 if host else 1):
                    send(pid, signal.SIGKILL)
            case "full disk":
                self.project.fill_disk()
                try:
                    wait_until(lambda: self.tuner.poll() is not None, 60, "the end of a session on a full disk")
                finally:
                    self.project.free_disk()
            case _:
                self.tuner.send_signal(getattr(signal, fault.split()[0]))
        return True

    def _after(self, fault: str) -> None:
        code = self.tuner.wait(60)
        assert code in EXITS[fault], f"exit code {code} after {fault}: {self._said()}"
        self.outcomes[fault][f"exit code {code}"] += 1
        if not self._nobody_looks_after_trials and self.rng.random() < 0.5:
            self.project.wait_for_no_process()  # otherwise it is the next session that finds what is left
        self.sums["checks"] += 1
        self.project.check()
        self._session()

    def _disturb(self, fault: str) -> bool:
        """Do what a session survives; False when there is nothing to do it to."""
        if fault == "jump of the wall clock":
            self.project.offset.write_text(str(self.rng.choice(JUMPS)))
            return True
        if "tuner" in fault:
            found = [self.tuner.pid]
        elif "host" in fault:
            host = self.project.host(self.tuner)
            found = [] if host is None else [host]
        elif "grandchild" in fault:
            found = self.project.grandchildren()
        else:
            found = self.project.trials()
        if not found:
            return False
        victims = found if "all" in fault else [self.rng.choice(found)]
        if "SIGSTOP" in fault:
            return pause(victims[0], self.rng.uniform(0.05, 1.0))
        number = signal.SIGTERM if "SIGTERM" in fault else signal.SIGKILL
        return any([send(pid, number) for pid in victims])

    # ------------------------------------------------------------------ what came of it

    def _said(self) -> str:
        return f"(seed {SEED}) {self.project.output()[-3000:]}"

    def faults(self) -> int:
        """How many were given."""
        return sum(
            count
            for outcome in self.outcomes.values()
            for what, count in outcome.items()
            if what == SURVIVED or "exit" in what
        )

    def table(self) -> str:
        """What was done, and what was found."""
        lines = [
            f"{fault:34} {what}: {n}" for fault, found in sorted(self.outcomes.items()) for what, n in found.items()
        ]
        return "\n".join([*lines, ", ".join(f"{n} {name}" for name, n in self.sums.items())])


def say(text: str) -> None:
    """Shown by `pytest -s`, and after a failure."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def check_flat(name: str, sessions: list[Growth]) -> str:
    """Neither memory nor descriptors grow, within long sessions and from session to session."""
    said = []
    for what, allowed in (("megabytes", 10.0), ("descriptors", 6.0)):
        series = [getattr(growth, what) for growth in sessions]
        within = [first_and_last(values) for values in series if len(values) >= 40]
        worst = max((last - first for first, last in within), default=0.0)
        assert worst <= allowed + 0.1 * max((first for first, _ in within), default=0.0), (
            f"{name}: {worst:.1f} more {what} at the end of a session than at its start"
        )
        medians = [sorted(values)[len(values) // 2] for values in series if len(values) >= 15]
        assert MINUTES < 2 or (within and len(medians) >= 3), f"{name}: no session was long enough to be measured"
        first, last = first_and_last(medians) if len(medians) >= 3 else (0.0, 0.0)
        assert last - first <= allowed, f"{name}: from {first:.1f} to {last:.1f} {what} over {len(medians)} sessions"
        said.append(
            f"{name}: {what} {first:.1f} in the first third of {len(medians)} sessions, {last:.1f} in the last; at most "
            f"{worst:+.1f} within one of {len(within)} long sessions"
        )
    return "\n".join(said)


@pytest.mark.timeout(int(MINUTES * 60 * 1.5 + 900))
def test_no_fault_loses_doubles_or_mixes_a_report_or_leaves_a_process(tmp_path):
    say(f"\nsoak of {MINUTES:g} minutes, HPO_SOAK_SEED={SEED}")
    soak = Soak(tmp_path, random.Random(SEED))
    try:
        soak.run(MINUTES * 60)
    finally:
        say(soak.table())
        soak.close()
    assert soak.sums["acknowledged"] > 0
    say(check_flat("tuner", soak.tuners))
    say(check_flat("host", soak.hosts))
    say(f"{soak.faults()} faults")
    if MINUTES >= 20:
        assert soak.faults() >= 100
