"""GPUs: which there are, and that nobody shares one."""

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.backends.gpus import GpuPool, gpu_use, visible_gpus
from hpo.errors import BackendError, ConfigError


@pytest.mark.process
def test_nvidia_smi_tells_which_gpus_there_are(pretended_gpus):
    assert visible_gpus() == ["0", "1", "2", "3"]


@pytest.mark.process
def test_gpus_to_use_are_taken_in_their_order(pretended_gpus):
    assert visible_gpus([3, 1]) == ["3", "1"]


def test_an_inherited_cuda_visible_devices_restricts_them(pretended_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert visible_gpus() == ["2", "3"]
    assert visible_gpus([3]) == ["3"]
    with pytest.raises(ConfigError, match=r"gpus_to_use=\[0\].*2, 3.*CUDA_VISIBLE_DEVICES=2,3"):
        visible_gpus([0])


@pytest.mark.parametrize("value", ["", "-1", " "])
def test_a_cuda_visible_devices_that_hides_all_leaves_none(pretended_gpus, monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == []


def test_names_of_devices_are_kept_as_they_are(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8932f937, MIG-1")
    assert visible_gpus() == ["GPU-8932f937", "MIG-1"]


@pytest.mark.process
def test_a_device_named_twice_is_an_error_that_names_the_key(pretended_gpus):
    with pytest.raises(ConfigError, match=r"gpus_to_use=\[1, 1\]"):
        visible_gpus([1, 1])


@pytest.mark.process
def test_a_device_that_is_not_there_is_an_error_that_names_those_there_are(pretended_gpus):
    with pytest.raises(ConfigError, match=r"gpus_to_use=\[0, 4\].*0, 1, 2, 3"):
        visible_gpus([0, 4])


@pytest.mark.process
def test_an_empty_list_of_devices_is_an_error_that_names_the_key(pretended_gpus):
    with pytest.raises(ConfigError, match=r"gpus_to_use=\[\]"):
        visible_gpus([])


@pytest.mark.process
def test_an_nvidia_smi_that_fails_means_no_gpu(pretended_gpus, tmp_path):
    (tmp_path / "pretended" / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: x'\nexit 9\n")
    assert visible_gpus() == []


def test_a_machine_without_gpus_is_told_to_use_none():
    with pytest.raises(BackendError, match=r"num_gpus_per_trial=1: .*no GPU.*num_gpus_per_trial=0"):
        GpuPool([], 1)


def test_a_trial_that_needs_more_than_there_are_is_an_error_that_names_how_many_there_are():
    with pytest.raises(BackendError, match=r"num_gpus_per_trial=3: .*2 GPU.*num_gpus_per_trial=2"):
        GpuPool(["0", "1"], 3)


def test_trials_without_gpus_are_not_limited_by_them():
    pool = GpuPool([], 0)
    assert pool.capacity is None
    assert pool.acquire(0) == []


@pytest.mark.parametrize(
    ("devices", "per_trial", "trials"), [(4, 1, 4), (4, 2, 2), (4, 3, 1), (4, 4, 1), (8, 2, 4), (5, 2, 2)]
)
def test_the_capacity_is_how_many_trials_get_whole_devices(devices, per_trial, trials):
    assert GpuPool([str(i) for i in range(devices)], per_trial).capacity == trials


def test_more_trials_than_fit_are_an_error_and_take_nothing():
    pool = GpuPool(["0", "1", "2"], 2)
    first = pool.acquire(0)
    with pytest.raises(BackendError):
        pool.acquire(1)
    pool.release(0)
    assert len(pool.acquire(1)) == 2
    pool.release(1)
    assert set(pool.acquire(2)) <= {"0", "1", "2"}
    assert len(first) == 2


@given(
    devices=st.integers(1, 8),
    per_trial=st.integers(1, 8),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60),
)
def test_no_device_is_ever_shared_and_every_one_comes_back(devices, per_trial, steps):
    if per_trial > devices:
        per_trial = devices
    names = [f"gpu{i}" for i in range(devices)]
    pool = GpuPool(names, per_trial)
    held = {}
    for acquire, owner in steps:
        if acquire and owner not in held and len(held) < pool.capacity:
            held[owner] = pool.acquire(owner)
            assert len(held[owner]) == per_trial
        elif not acquire:
            pool.release(owner)
            held.pop(owner, None)
        in_use = [name for taken in held.values() for name in taken]
        assert len(in_use) == len(set(in_use))
        assert set(in_use) <= set(names)
    for owner in list(held):
        pool.release(owner)
    again = [name for trial in range(pool.capacity) for name in pool.acquire(100 + trial)]
    assert len(set(again)) == pool.capacity * per_trial


def pretended_library(broken=()):
    """A stand-in for nvidia-ml-py: device i is 10 i percent busy, the one named by its UUID 55."""
    library = types.ModuleType("pynvml")

    class NVMLError(Exception):
        pass

    def rates(handle):
        if handle in broken:
            raise NVMLError
        return types.SimpleNamespace(gpu=handle)

    library.NVMLError = NVMLError
    library.nvmlInit = lambda: None
    library.nvmlDeviceGetHandleByIndex = lambda index: 10 * index
    library.nvmlDeviceGetHandleByUUID = {"GPU-8932f937": 55}.__getitem__
    library.nvmlDeviceGetUtilizationRates = rates
    return library


def test_how_busy_gpus_are_is_told_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", pretended_library())
    assert gpu_use(["3", "0", "GPU-8932f937"]) == {"3": 30, "0": 0, "GPU-8932f937": 55}


def test_how_busy_gpus_are_is_left_open_where_nothing_tells(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_use(["0"]) == {}
    monkeypatch.setitem(sys.modules, "pynvml", pretended_library(broken=[20]))
    assert gpu_use(["1", "2", "3"]) == {"1": 10}
