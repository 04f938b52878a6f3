"""The checked settings of `backend=ray`, and the messages with which the driver and the slots receive them."""

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import hpo
from hpo.backends.bundle import Bundle, make_bundle
from hpo.backends.executables import files_beside, find_file
from hpo.backends.gpus import visible_gpus
from hpo.backends.trial_program import check_program
from hpo.config.reading import to_plain
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, how_to_install
from hpo.functions.finding import find_function
from hpo.ray.actor import SlotOpening, digest_of
from hpo.ray.messages import OpenSession
from hpo.ray.session_files import SessionFiles
from hpo.ray.storage import check_storage
from hpo.store.directory import ExperimentDirectory

LOCAL = "local"
"""Address that means a cluster on this machine for this experiment alone."""
UPLOADS = 120.0
"""Seconds that slots have to store the last checkpoints of trials that ended with the session."""


@dataclass(frozen=True)
class RaySettings:
    """The options of the Ray backend.

    Args:
        address: Address of the cluster's head.
        cpus: CPUs that Ray reserves per trial.
        accelerator_type: Type of the GPUs.
        pending_notice: Seconds after which hpo logs what slots wait for.
        autoscaling: Whether nodes that fit may be added later, though there is none yet.
        storage: Address of the storage for checkpoints; None if all nodes share the experiment's directory.
        sync_seconds: Seconds between copies of a trial's checkpoint to the storage.
        source_dependencies: Folders or modules that are sent to the nodes besides the script's folder.
        exclude: Patterns of files that are not sent.
        max_bundle_mb: Largest size of the code in megabytes.

    Raises:
        ConfigError: The options cannot be used.
    """

    address: str | None = None
    cpus: float = 1
    accelerator_type: str | None = None
    pending_notice: float = 60.0
    autoscaling: bool = False
    storage: str | None = None
    sync_seconds: float = 30.0
    source_dependencies: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_bundle_mb: float = 200.0

    def __post_init__(self) -> None:
        for name in ("cpus", "pending_notice", "sync_seconds", "max_bundle_mb"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"backend.{name}={value}: give it a positive number")
        if find_spec("ray") is None:
            raise ConfigError(f"backend=ray: the package ray is not installed here; {how_to_install('ray')}")
        if not self.place:
            raise ConfigError(
                "backend=ray: no cluster is named; set RAY_ADDRESS or backend.address to HOST:PORT of its head, or "
                "backend.address=local for a cluster on this machine"
            )
        if "://" in self.place:
            raise ConfigError(
                f"backend.address={self.place}: Ray Client is not meant for this; run the command on a node of the cluster, "
                f"with HOST:PORT, or by `ray job submit`"
            )
        if self.storage is not None:
            check_storage(self.storage)

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """Return the settings of an experiment, after checking that it can be run with them.

        Raises:
            ConfigError: The experiment cannot be run with them.
        """
        options = {key: value for key, value in config.backend.items() if key not in ("name", "_target_")}
        settings = cls(**options)
        if not config.benchmark.has_program:
            raise ConfigError("backend=ray: the benchmark has a table and no program; use backend=simulated")
        if config.gpus_to_use is not None:
            raise ConfigError(
                f"gpus_to_use={config.gpus_to_use}: with backend=ray it is Ray that gives GPUs to trials; leave it out, or "
                f"start the nodes with CUDA_VISIBLE_DEVICES"
            )
        check_program(config)
        return settings

    @property
    def place(self) -> str:
        """The cluster's address, from the options or from the environment."""
        return self.address or os.environ.get("RAY_ADDRESS", "")

    def needed(self, config: ExperimentConfig) -> dict[str, float]:
        """Return the resources that a slot takes of its node, by Ray's names."""
        needed: dict[str, float] = {"CPU": self.cpus}
        if gpus := config.num_gpus_per_trial:
            needed["GPU"] = gpus
        if self.accelerator_type is not None:
            needed[f"accelerator_type:{self.accelerator_type}"] = 0.001
        return needed

    @property
    def environment(self) -> Mapping[str, str]:
        """The driver's environment. A cluster that it starts admits nobody else and sends no usage statistics.

        Ray shows a token only in token mode, which must be set both by whoever started the cluster and by whoever connects.
        A cluster without tokens admits a client that shows one.
        """
        if self.place != LOCAL:
            shows = "RAY_AUTH_MODE" not in os.environ and _has_token()
            return {**os.environ, "RAY_AUTH_MODE": "token"} if shows else os.environ
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
        return {**{name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}, **own}

    def bundle(self, config: ExperimentConfig) -> Bundle:
        """Return the code for nodes that do not share this machine's files.

        Raises:
            ConfigError: A file is missing, or the code is too large.
        """
        return make_bundle(
            config.benchmark,
            self.source_dependencies or (),
            self.exclude or (),
            self.max_bundle_mb,
            group="backend",
            own=False,
        )

    def opening(
        self,
        config: ExperimentConfig,
        files: ExperimentDirectory,
        *,
        session: SessionFiles,
        bundle: Bundle | None,
        proof: str,
    ) -> OpenSession:
        """Return the first order to a driver.

        Args:
            config: Configuration of the experiment.
            files: The experiment's directory.
            session: Files of the session: one that a node must see, and the code for nodes that share no files.
            bundle: That code, if there is a storage.
            proof: Object in the storage that a node must see.
        """
        if bundle is not None:
            config = replace(config, benchmark=bundle.benchmark)
        slots = config.n_workers or 1
        opening = SlotOpening(
            config=to_plain(config),
            directory=str(files.path.absolute()),
            nonce=session.nonce,
            cwd=str(Path.cwd()),
            python=".".join(platform.python_version_tuple()[:2]),
            hpo=digest_of(str(Path(hpo.__file__).parent)),
            files=_files(config, files) if bundle is None else {},
            environment={key: os.environ[key] for key in ("OMP_NUM_THREADS",) if key in os.environ},
            storage=None if bundle is None else self.storage,
            code="" if bundle is None else bundle.digest,
            sync_seconds=self.sync_seconds,
            proof=proof,
        )
        return OpenSession(
            address=self.place,
            folder=str(session.cluster),
            code=None if bundle is None else str(session.code),
            cpus=self.cpus * slots,
            gpus=len(visible_gpus()) if self.place == LOCAL and config.num_gpus_per_trial else 0,
            slots=slots,
            needed=self.needed(config),
            pending_notice=self.pending_notice,
            autoscaling=self.autoscaling,
            grace=config.grace_period_seconds + (10 if bundle is None else UPLOADS),
            opening=opening,
        )


def _has_token() -> bool:
    """Whether Ray would find a token."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or Path("~/.ray/auth_token").expanduser().is_file()


def where_slots_are(config: ExperimentConfig) -> str | None:
    """Return a description of the cluster before it is called; None for a cluster on this machine."""
    address = config.backend.get("address") or os.environ.get("RAY_ADDRESS", "")
    if address == LOCAL:
        return None
    each = f"{config.backend.get('cpus', 1):g} CPU" + (f", {gpus} GPU" if (gpus := config.num_gpus_per_trial) else "")
    slots = f"{config.n_workers or 1} slots are asked for, each with {each}"
    if not config.backend.get("address") and {"nodes", "instance_count"} & set(config.launcher):
        return f"a Ray cluster that the job makes of its own machines; {slots}"
    return f"the Ray cluster at {address or '?'}; {slots}; what it has is known when the command runs, and was not asked now"


def _files(config: ExperimentConfig, files: ExperimentDirectory) -> Mapping[str, str | None]:
    """Return the files in the program's call and those beside a script that it may import, with their digests."""
    benchmark = config.benchmark
    if benchmark.function is not None:
        source = find_function(benchmark.function, files.path).file
        found = [] if source is None else [Path(source)]
    else:
        words = [benchmark.script] if benchmark.script is not None else list(benchmark.command or [])[:2]
        found = [path for word in words if "/" in word or benchmark.script is not None if (path := find_file(word))]
    beside = [other for path in found[-1:] for other in files_beside(path.parent) or () if other.suffix == path.suffix]
    return {str(path): digest_of(str(path)) for path in dict.fromkeys([*found, *beside])}
