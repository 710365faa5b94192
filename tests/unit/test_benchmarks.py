"""The benchmarks load and compute what they print; their figures are for quiet machines."""

import argparse
import importlib
import itertools
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from inspect_support import make_images, trained_run
from torch import nn

from cnn_core.datasets.catalog import state_of
from cnn_core.inspect.evaluation import part_images
from cnn_core.inspect.trained import load_trained
from cnn_core.runs.reader import read_summary
from cnn_tui.working import finish

ROOT = Path(__file__).parents[2] / "benchmarks"
OURS = sorted(path.stem for path in ROOT.glob("*.py"))
PEERS = sorted(f"peers.{path.stem}" for path in (ROOT / "peers").glob("*.py"))

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("name", OURS)
def test_a_benchmark_loads(name: str):
    assert importlib.import_module(name).__doc__


@pytest.mark.filterwarnings("ignore")  # other libraries' own
@pytest.mark.parametrize("name", PEERS)
def test_a_way_to_train_loads_where_its_library_is_installed(name: str):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastai", "lightning", "skorch", "timm"):
            raise
        pytest.skip(f"{missing.name} is not installed")


def test_rounds_are_in_turn_and_the_first_does_not_count():
    from measuring import interleaved

    calls: list[str] = []
    numbers = itertools.count()

    def contestant(name: str):
        def measure() -> float:
            calls.append(name)
            return float(next(numbers))

        return measure

    figures = interleaved({name: contestant(name) for name in "ab"}, rounds=2)
    assert calls == ["a", "b"] * 3
    assert figures == {"a": [2.0, 4.0], "b": [3.0, 5.0]}


def test_a_table_of_speeds_compares_within_rounds():
    from throughput import speed_table

    speeds = {"loop": [100.0, 200.0], "ours": [150.0, 300.0], "limit": [200.0, 400.0]}
    text = speed_table(speeds, {"ours": [190.0, 380.0]}, {"ours": "limit"})
    rows = [re.split(r"  +", line) for line in text.splitlines()[1:]]
    assert rows == [
        ["loop", "150", "100", "200", "1.00"],
        ["ours, by events", "285", "190", "380", "1.90", "0.950"],
        ["ours, by clock", "225", "150", "300", "1.50", "0.750"],
        ["limit", "300", "200", "400", "2.00"],
    ]


@pytest.fixture
def task(tmp_path: Path):
    from peers.task import experiment_of, task_of
    from stand_ins import data_dir_with

    data_dir, real = data_dir_with("cifar10", tmp_path / "nothing", tmp_path / "data", 64)
    assert not real
    experiment = experiment_of("cifar10", "cnn", image_size=32, images=70, batch_size=32)
    cpu = torch.device("cpu")
    return task_of(experiment, data_dir, tmp_path, tmp_path / "pixels", cpu)


@pytest.mark.long
def test_contestants_that_need_no_other_library_train_the_same_images(task):
    import throughput

    chosen = [
        contestant
        for contestant in throughput.DECODED
        if contestant.module in ("plain_loop", "limit", "engine_run")
        and "workers" not in contestant.arguments
    ]
    for name, train in throughput.prepared(task, chosen).items():
        assert train() == 64, name
    table = throughput.compare(task, chosen, rounds=1)
    names = {re.split(r"  +", line)[0] for line in table.splitlines()[1:]}
    assert {"plain loop, PIL", "cnn-tui, by events", "cnn-tui, bf16, by clock"} < names
    assert len(names) == len(chosen) + 2  # ours have two rows each


def test_a_contestant_without_its_library_is_named_and_left_out(
    task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import throughput

    monkeypatch.setitem(sys.modules, "peers.skorch_fit", None)
    skorch = [one for one in throughput.OTHERS if one.name == "skorch"]
    assert throughput.prepared(task, skorch) == {}
    assert capsys.readouterr().out.startswith("skorch: skipped, ")


def test_noise_stands_in_for_data_that_are_not_there(tmp_path: Path):
    from stand_ins import CALTECH_CLASSES, data_dir_with

    folder = tmp_path / "noise"
    assert data_dir_with("caltech101", tmp_path, folder, 1) == (folder, False)
    assert state_of("caltech101", folder) == ("here", "")
    lines = (folder / "caltech101" / "train.txt").read_text().split()
    assert len({line.split("/")[0] for line in lines}) == CALTECH_CLASSES
    assert data_dir_with("caltech101", folder, tmp_path / "other") == (folder, True)


@linux
def test_mapped_pixels_are_told_from_other_memory(tmp_path: Path):
    from memory import Peak, sample
    from page_cache import share_in_memory

    path = tmp_path / "pixels.npy"
    np.save(path, np.ones((1 << 20,), np.uint8))
    before, peak = Peak(), Peak()
    sample(os.getpid(), before)  # other tests have mapped pixels too
    mapped = np.load(path, mmap_mode="r")
    assert mapped.sum() == mapped.size
    sample(os.getpid(), peak)
    assert mapped.nbytes <= peak.pixels - before.pixels <= mapped.nbytes + 8192
    assert peak.files > peak.pixels
    assert peak.allocated > 0
    assert share_in_memory(path) == 1


@linux
def test_evicted_pixels_read_the_same(tmp_path: Path):
    from page_cache import Evicting, mapped_ranges

    path = tmp_path / "pixels.npy"
    np.save(path, np.arange(1 << 20))
    mapped = np.load(path, mmap_mode="r")
    assert [size >= mapped.nbytes for _, size in mapped_ranges(path)] == [True]
    with Evicting(path, 0.001) as evicting:
        assert (mapped == np.arange(1 << 20)).all()
    # How many stay depends on the file system: a tmpfs has no other place for them.
    assert 0 <= evicting.left <= 1


def test_peaks_are_of_whole_names():
    from flops import peak_flops

    assert peak_flops("NVIDIA H100 80GB HBM3") == pytest.approx(989.4e12)
    assert peak_flops("NVIDIA A100-SXM4-40GB") == pytest.approx(312e12)
    assert peak_flops("Tesla V100-SXM2-16GB") == pytest.approx(125e12)
    assert peak_flops("NVIDIA GeForce RTX 4090") == pytest.approx(165.2e12)
    assert peak_flops("NVIDIA GeForce RTX 4090 Laptop GPU") is None
    assert peak_flops("NVIDIA A100-SXM4-40GB MIG 1g.5gb") is None


def test_operations_of_an_image_are_those_of_its_products():
    from flops import flops_per_image

    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 20), nn.ReLU(), nn.Linear(20, 10))
    first, second = 2 * 192 * 20, 2 * 20 * 10
    # Forward, gradient of the weights, and that of the input where a layer stands before.
    assert flops_per_image(network, 8) == 2 * first + 3 * second


def test_a_preset_is_timed_to_the_end_of_its_test(tmp_path: Path):
    from preset_runs import preset_of, run

    options = argparse.Namespace(set=[], epochs=1, images=64, batch_size=None)
    experiment = preset_of("digits", 7, options)
    assert (experiment.seed, experiment.train.epochs, experiment.data.limit) == (7, 1, 64)
    outcome = run(experiment, tmp_path, tmp_path, torch.device("cpu"))
    assert outcome.epochs == 1
    assert outcome.accuracy is not None
    assert 0 < outcome.trained_s <= outcome.total_s


@pytest.mark.skipif(torch.cuda.is_available(), reason="would measure it")
def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import gpu

    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    gpu.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no GPU is visible to torch")


def test_descents_from_many_starts(monkeypatch, capsys):
    surfaces = importlib.import_module("surfaces")
    arguments = ["surfaces.py", "sphere", "--starts", "3", "--lr", "0.1", "--method", "plain"]
    monkeypatch.setattr(sys, "argv", arguments)
    surfaces.main()
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.startswith("| plain | 0.1 | 100 % | 100 % | 0 % | 0 % | 0.0000 | ")


def test_batch_norm_takes_its_statistics_again_without_dropout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from batch_norm_statistics import compared, take_statistics

    make_images(tmp_path / "data" / "images", ("cat", "dog"))
    options = {"widths": [4, 6], "batch_norm": True}
    run_dir = trained_run(
        tmp_path, model={"backbone": "convnet", "options": options, "dropout": 0.5}
    )
    trained = load_trained(run_dir, "last")
    places = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    train = finish(part_images(run_dir, "train", **places))
    take_statistics(trained, train)
    images_NCHW = trained.inputs(train.data.images_NHWC[train.positions])
    convolution, norm = (
        next(layer for layer in trained.network.module.modules() if isinstance(layer, kind))
        for kind in (nn.Conv2d, nn.BatchNorm2d)
    )
    maps_NCHW = convolution(images_NCHW).detach()
    torch.testing.assert_close(norm.running_mean, maps_NCHW.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, maps_NCHW.var((0, 2, 3)))
    assert not norm.training

    monkeypatch.setenv("CNN_TUI_CACHE", str(tmp_path / "cache"))
    name, before, _ = compared(run_dir, tmp_path / "data")
    tested = read_summary(run_dir)["test_last"]
    assert (name, before) == (run_dir.name, f"{100 * tested['acc']:.2f}")
