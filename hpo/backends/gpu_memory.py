"""GPU memory that outlives its trial: a device is reused only when no ended trial still holds memory on it.

The kernel can finish with a process before the driver does. If nvidia-ml-py is installed, NVML lists the pids on a device;
it offers no event, so the list is read when a device is about to be handed out. A clean device is preferred.
If none is clean, the trial waits in the backend, whose `wait` looks again every 50 ms and keeps reading reports.

A listed pid belongs to this experiment in these cases. A living process: by its mark (see marks), if its attempt has
ended. A pid without a process: if it was seen with a mark before; devices are looked at when a trial is stopped, and at
intervals when it reports. In the machine's own pid namespace also if it came after the device was handed out. All others
are foreign and block nothing. In a container NVML lists host pids, translated pids or none, depending on driver and set-up:
unknown pids count as foreign there, so that with host pids a device is handed out at once, as without NVML. Device numbers
are those of NVML (CUDA_DEVICE_ORDER=PCI_BUS_ID).
"""

import contextlib
import logging
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from hpo.backends.gpus import GpuPool, handle, nvml
from hpo.errors import BackendError
from hpo.host.process_marks import experiment_of, get_mark

PATIENCE = 30.0
"""Seconds from the first look that finds a device not free until it is quarantined."""
_SOON = 0.05
_SELDOM = 5.0
"""Seconds between looks at quarantined devices while a trial waits for one."""
_LOOK_INTERVAL = 10.0
"""Seconds between looks at the devices of a trial that reports."""
_INITIAL_NAMESPACE = "pid:[4026531836]"
"""The kernel's number for the initial pid namespace, in which no process is hidden."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Device:
    owner: int | None = None
    """Trial that has or had the device in this session."""
    dirty_since: float | None = None
    """Time at which the device was first found not to be free, if it was not free at the last look."""
    before: frozenset[int] = frozenset()
    """Pids that were listed when the owner got the device."""
    known: set[int] = field(default_factory=set)
    """Pids that are known to belong to this experiment."""


class CleanGpus:
    """A pool that hands out each device only when its memory is free.

    Args:
        pool: Devices.
        mark: Mark of the experiment. Living processes of an earlier session are recorded now, so create this object before
            they are swept.
        alone: Whether no trial of any experiment may share the devices.
    """

    def __init__(self, pool: GpuPool, mark: int, *, alone: bool = False) -> None:
        self._pool = pool
        self._mark = mark
        self._alone = alone
        self._nvml = nvml() if pool.per_trial else None
        self._sees_all = _sees_all_processes()
        self._devices = {name: _Device() for name in pool.devices}
        self._attempts: dict[int, int] = {}  # trial that has devices -> mark of its attempt
        self._look_at: dict[int, float] = {}  # trial -> when to look at its devices again
        self._ask_at = math.inf
        for name, device in self._devices.items():
            device.known = {pid for pid in self._listed(name) if self._is_of_experiment(get_mark(pid))}

    @property
    def capacity(self) -> int | None:
        """Return how many trials fit at once on devices that are not quarantined; None if trials need no device."""
        return self._pool.capacity

    def acquire(self, trial_id: int, mark: int) -> list[str] | None:
        """Return devices for an attempt with this mark; None if it must wait until they are `due`.

        Raises:
            BackendError: Too many trials were started, or too few devices are left for a single one.
        """
        self._ask_at = math.inf
        if self._nvml is None:
            return self._pool.acquire(trial_id)
        wanted, clean = self._pool.per_trial, list[str]()
        for name in self._pool.free:
            if len(clean) < wanted and self._is_clean(name):
                clean.append(name)
        if len(clean) < wanted <= len(self._pool.free):
            if self._pool.capacity == 0:
                quarantined = sorted(self._pool.quarantined)
                held = [f"GPU {name}: {_what(self._holders(name), self._devices[name].owner)}" for name in quarantined]
                raise BackendError(
                    f"num_gpus_per_trial={wanted}: too few devices are left, for memory of trials that ended is still held "
                    f"({'; '.join(held)}); free it (nvidia-smi shows it; a reset of the device helps) and run the same "
                    f"command again, or name other devices with gpus_to_use"
                )
            undecided = set(self._pool.free) - self._pool.quarantined - set(clean)
            self._ask_at = time.monotonic() + (_SOON if undecided else _SELDOM)
            return None
        taken = self._pool.acquire(trial_id, clean)
        for name in taken:
            self._devices[name] = _Device(trial_id, before=frozenset(self._listed(name)))
        self._attempts[trial_id], self._look_at[trial_id] = mark, 0.0
        return taken

    def release(self, trial_id: int) -> None:
        """Release the trial's devices, once all processes of its attempt are gone."""
        self._pool.release(trial_id)
        self._attempts.pop(trial_id, None)
        self._look_at.pop(trial_id, None)
        self._ask_at = 0.0
        for name in list(self._pool.quarantined):
            self._is_clean(name)

    def learn_pids(self, trial_id: int, *, at_once: bool = False) -> None:
        """Record the pids of a running trial's processes from its devices; after their end they cannot be attributed."""
        if trial_id not in self._attempts or (not at_once and time.monotonic() < self._look_at[trial_id]):
            return
        self._look_at[trial_id] = time.monotonic() + _LOOK_INTERVAL
        for name, device in self._devices.items():
            if device.owner == trial_id:
                device.known |= {pid for pid in self._listed(name) if get_mark(pid) == self._attempts[trial_id]}

    @property
    def due(self) -> bool:
        """Whether a trial that waits may get devices now."""
        return time.monotonic() >= self._ask_at

    def shorten(self, timeout: float | None) -> float | None:
        """Return a timeout, shortened to the time at which devices are `due`."""
        left = max(self._ask_at - time.monotonic(), 0.0)
        return timeout if left == math.inf else left if timeout is None else min(left, timeout)

    # ------------------------------------------------------------------ what is listed

    def _is_clean(self, name: str) -> bool:
        """Return whether this free device may be used; puts it into quarantine or takes it out."""
        device, holders = self._devices[name], self._holders(name)
        if not holders:
            device.dirty_since = None
            if name in self._pool.quarantined:
                self._pool.quarantined.remove(name)
                log.warning("GPU %s: its memory is free; it is out of quarantine", name)
            return True
        if device.dirty_since is None:
            device.dirty_since = time.monotonic()
            log.info("GPU %s is not used yet: it lists memory of %s", name, _what(holders, device.owner))
        if time.monotonic() < device.dirty_since + PATIENCE:
            return False
        if device.owner is None and not holders & device.known:
            log.warning("GPU %s is used although it lists memory of %s", name, _what(holders, None))
            return True  # from before this session, and perhaps not of this experiment
        if name not in self._pool.quarantined:
            self._pool.quarantined.add(name)
            log.warning(
                "GPU %s is in quarantine: for %g s it has listed memory of %s, which ended; trials continue with the other "
                "devices, and with this one when it is free",
                name,
                PATIENCE,
                _what(holders, device.owner),
            )
        return False

    def _holders(self, name: str) -> set[int]:
        """Return the listed pids that belong to ended attempts of this experiment."""
        device, found = self._devices[name], set()
        for pid in self._listed(name):
            if (mark := get_mark(pid)) is not None:
                ours = self._is_of_experiment(mark) and mark not in self._attempts.values()
            else:
                seen = pid in device.known or (self._sees_all and pid not in device.before)
                ours = seen and not _exists(pid)
            if ours:
                found.add(pid)
        return found

    def _is_of_experiment(self, mark: int | None) -> bool:
        return mark is not None and (self._alone or experiment_of(mark) == self._mark)

    def _listed(self, name: str) -> set[int]:
        """Return the pids that NVML lists on a device."""
        library = self._nvml
        if library is None:
            return set()
        try:
            return {int(process.pid) for process in library.nvmlDeviceGetComputeRunningProcesses(handle(library, name))}
        except library.NVMLError as error:
            self._nvml = None
            self._pool.quarantined.clear()
            log.info("NVML does not report who uses GPU %s (%s): devices are handed out without asking it", name, error)
            return set()


def _what(pids: set[int], owner: int | None) -> str:
    """Describe in words which processes hold a device, and of which trial."""
    of = f" of trial {owner}" if owner is not None else ""
    return f"process{'es' if len(pids) > 1 else ''} {', '.join(map(str, sorted(pids)))}{of}"


def _exists(pid: int) -> bool:
    """Whether a process with this pid exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sees_all_processes() -> bool:
    """Whether this is the machine's own pid namespace, in which a pid without a process means that the process has ended."""
    with contextlib.suppress(OSError):  # without /proc it is unknown
        return str(Path("/proc/self/ns/pid").readlink()) == _INITIAL_NAMESPACE
    return False
