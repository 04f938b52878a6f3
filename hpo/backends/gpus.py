"""The machine's GPUs and their allocation. A trial gets whole devices; no two trials share one."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.errors import BackendError, ConfigError


def visible_gpus(gpus_to_use: Sequence[int] | None = None) -> list[str]:
    """Return the devices that an experiment may use, as CUDA_VISIBLE_DEVICES names them.

    An inherited CUDA_VISIBLE_DEVICES restricts them, and `gpus_to_use` restricts them further.

    Raises:
        ConfigError: `gpus_to_use` names a device twice, or one that does not exist.
    """
    if (inherited := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        devices = [name.strip() for name in inherited.split(",") if name.strip() and name.strip() != "-1"]
    else:
        devices = [str(index) for index in range(_count())]
    if gpus_to_use is None:
        return devices
    wanted = [str(index) for index in gpus_to_use]
    if len(set(wanted)) < len(wanted):
        raise ConfigError(f"gpus_to_use={list(gpus_to_use)}: a device is listed twice; remove one")
    missing = [name for name in wanted if name not in devices]
    if missing or not wanted:
        raise ConfigError(
            f"gpus_to_use={list(gpus_to_use)}: this machine offers {', '.join(devices) or 'no GPU'}"
            + (f" (CUDA_VISIBLE_DEVICES={inherited})" if inherited is not None else "")
            + "; name some of these"
        )
    return wanted


def nvml() -> Any:
    """Return the initialised module of nvidia-ml-py; None if it is not installed or there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except ImportError:
        return None
    except pynvml.NVMLError:
        return None
    return pynvml


def handle(library: Any, name: str) -> Any:
    """Return NVML's handle of a device, by its number or UUID."""
    return library.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else library.nvmlDeviceGetHandleByUUID(name)


def _count() -> int:
    """Return the number of NVIDIA GPUs, from nvidia-ml-py if installed, else from nvidia-smi. Creates no CUDA context."""
    if (library := nvml()) is not None:
        with contextlib.suppress(library.NVMLError):
            return int(library.nvmlDeviceGetCount())
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listing = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines()) if listing.returncode == 0 else 0


def gpu_use(devices: Sequence[str]) -> dict[str, int]:
    """Return the recent utilisation in percent of each device of this machine for which nvidia-ml-py reports one."""
    library = nvml()
    if library is None:
        return {}
    used = {}
    with contextlib.suppress(library.NVMLError):  # some devices do not report it
        for name in devices:
            used[name] = int(library.nvmlDeviceGetUtilizationRates(handle(library, name)).gpu)
    return used


@dataclass
class GpuPool:
    """A pool of devices that records which trial holds which.

    Args:
        devices: Names as for CUDA_VISIBLE_DEVICES.
        per_trial: Number of devices per trial, 0 for none.

    Raises:
        BackendError: There are too few devices for a single trial.
    """

    devices: Sequence[str]
    per_trial: int
    quarantined: set[str] = field(init=False, default_factory=set)
    """Free devices that must not be used; the code that puts devices here does not ask for them."""
    _free: list[str] = field(init=False)
    _held: dict[int, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._free = list(self.devices)
        if self.per_trial > len(self.devices):
            found = f"{len(self.devices)} GPU(s)" if self.devices else "no GPU"
            raise BackendError(
                f"num_gpus_per_trial={self.per_trial}: this machine offers {found}; pass num_gpus_per_trial="
                f"{len(self.devices)}" + (" to train on the CPU" if not self.devices else "")
            )

    @property
    def capacity(self) -> int | None:
        """Return how many trials fit at once; None if trials need no device."""
        return (len(self.devices) - len(self.quarantined)) // self.per_trial if self.per_trial else None

    @property
    def free(self) -> tuple[str, ...]:
        """Devices that no trial holds, the longest free first."""
        return tuple(self._free)

    def acquire(self, owner: int, among: Sequence[str] | None = None) -> list[str]:
        """Allocate devices to `owner` and return them: the longest free, or the first of `among`, which must be free."""
        taken = list(self._free if among is None else among)[: self.per_trial]
        if len(taken) < self.per_trial:
            raise BackendError(f"no {self.per_trial} free GPU(s) for trial {owner}: the tuner started too many trials")
        self._free = [name for name in self._free if name not in taken]
        self._held[owner] = taken
        return taken

    def release(self, owner: int) -> None:
        """Free all devices that `owner` held."""
        self._free += self._held.pop(owner, [])


def pool_of_this_machine(per_trial: int, gpus_to_use: Sequence[int] | None) -> GpuPool:
    """Return a pool of this machine's devices for trials; looks for none if trials need none.

    Raises:
        ConfigError: `gpus_to_use` names a device that does not exist.
        BackendError: There are too few devices for one trial.
    """
    return GpuPool(visible_gpus(gpus_to_use) if per_trial else [], per_trial)
