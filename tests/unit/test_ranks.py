"""Several processes of one run: what each does, what they agree on, how they find each other."""

import threading
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from cnn_core.errors import UserError
from cnn_core.runs.launch_record import EndedError, run_of_launch
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import RunFinished
from cnn_core.training.joining import Launched, _sitting, launched, own_device
from cnn_core.training.parallel import mean_statistics, share_statistics
from cnn_core.training.ranks import Group, PeerFailedError, PeersLostError, Ranks
from cnn_core.training.shared_control import SharedControl
from cnn_core.training.shares import Shares

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
}


def one_of(size: int, rank: int, store=None) -> Group:
    return Group(store or dist.HashStore(), rank=rank, size=size, local_rank=rank, local_size=size)


@pytest.fixture
def group():
    """A group of one process, which talks to itself through gloo."""
    store = dist.HashStore()
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield one_of(1, 0, store)
    dist.destroy_process_group()


def test_what_a_launcher_says():
    assert launched(TORCHRUN) == Launched(rank=3, size=4, local_rank=1, local_size=2, restarts=2)
    assert launched({"RANK": "3", "WORLD_SIZE": "4"}) is None
    assert launched(TORCHRUN | {"WORLD_SIZE": "1"}) is None
    assert launched(TORCHRUN | {"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "7"}) is not None
    with pytest.raises(UserError, match="RANK = 'x' in the environment: expected a whole number"):
        launched(TORCHRUN | {"RANK": "x"})


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    place = launched(TORCHRUN)
    assert own_device("cpu", place) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert own_device("auto", place) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("auto", place) == own_device("cuda", place) == "cuda:1"
    with pytest.raises(UserError, match="2 processes on this machine would share it"):
        own_device("cuda:0", place)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="give torchrun --nproc-per-node 1, or --device cpu"):
        own_device("auto", place)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("smallest", [1, 2])
@pytest.mark.parametrize("count", [1, 7, 8, 15, 16, 33])
def test_every_image_weighs_the_same_however_a_batch_is_shared(size, smallest, count):
    step = 64
    gradient_of = torch.zeros(count, dtype=torch.float64)
    counted = torch.zeros(count, dtype=torch.int64)
    for rank in range(size):
        shares = Shares(one_of(size, rank), None, seed=0, smallest=smallest)
        rows = shares.rows(count)
        images = rows.stop - rows.start
        assert images >= min(smallest, count)
        # The mean of the processes' gradients, each of the mean loss of its images.
        gradient_of[rows] += shares.weight(count, step) / images / size
        if shares.counts(count):
            counted[rows] += 1
    assert gradient_of.tolist() == pytest.approx([1 / step] * count)
    assert counted.tolist() == [1] * count


@pytest.mark.parametrize("reuse", [True, False])
def test_a_group_of_one_process_trains_as_one_alone(lab, group, reuse):
    experiment = lab.experiment(
        freeze={"policy": "first:1", "unfreeze_at": 2, "reuse": reuse},
        train={"epochs": 3, "accumulate": 2, "batch_size": 5},
    )
    alone = lab.train(experiment, "alone")
    places = lab.places("together")
    together = list(stream(experiment, Control(), places, device="cpu", ranks=group))
    assert together[-1].status == "finished"
    assert lab.history(together) == lab.history(alone)
    assert lab.tests(together) == lab.tests(alone)
    for which in ("last", "best"):
        assert lab.differences(lab.state("together", which), lab.state("alone", which)) == []


def test_a_group_stops_and_goes_on_as_one_alone(lab, group):
    experiment = lab.experiment()
    lab.train(experiment, "alone")
    control = Control()
    for event in stream(experiment, control, lab.places("run"), device="cpu", ranks=group):
        if type(event).__name__ == "StepsDone":
            control.request("stop")
    assert event == RunFinished(status="stopped", epoch=event.epoch, seconds=event.seconds)
    *_, last = stream(experiment, Control(), lab.places("run"), device="cpu", ranks=group)
    assert last.status == "finished"
    assert lab.differences(lab.state("run"), lab.state("alone")) == []


class Unanimous(Ranks):
    """Processes that all ask for what one of them is scripted to ask for."""

    size = 2

    def __init__(self, asked):
        self.asked, self.agreements = asked, 0

    def largest(self, values):
        self.agreements += 1
        return [max(pair) for pair in zip(values, self.asked, strict=True)]


def test_what_any_process_is_asked_for_all_heed():
    #      stop, finish, pause, checkpoint, rate, interval
    ranks = Unanimous([0.0, 0.0, 0.0, 1.0, 0.25, 4.0])
    control = SharedControl(Control(), ranks)
    control.poll()
    assert control.take_checkpoint()
    assert control.take_lr() == 0.25
    assert control.due(0)
    assert not control.stopping
    assert not control.finishing
    assert not control.paused
    ranks.asked = [1.0, 0.0, 0.0, 0.0, 0.0, 4.0]
    for _ in range(3):
        control.poll()
        assert not control.stopping
        assert not control.due(100)
    control.poll()
    assert control.stopping
    assert ranks.agreements == 2


def test_a_pause_ends_for_all_when_it_ends_for_the_first():
    own = Control()
    own.request("pause")
    ranks = Unanimous([0.0] * 6)
    control = SharedControl(own, ranks)
    control.poll()
    assert control.paused
    threading.Timer(0.5, own.request, ["unpause"]).start()
    control.wait_while_paused()
    assert not control.paused
    # Waiting is no sign of quick steps.
    before = ranks.agreements
    for _ in range(10):
        control.poll()
    assert ranks.agreements > before


def test_who_fails_tells_the_others_and_who_is_killed_does_not():
    store = dist.HashStore()
    one, other = one_of(2, 0, store), one_of(2, 1, store)
    torn = RuntimeError("[../gloo/transport/tcp/pair.cc:545] Connection closed by peer")
    with pytest.raises(PeersLostError, match="another of the 2 processes"), one.hearing():
        raise torn
    with pytest.raises(RuntimeError, match="mine"), one.hearing():
        raise RuntimeError("a mistake of mine")
    other.announce("no space left", mistake=True)
    heard = pytest.raises(PeerFailedError, match=r"^process 1 of 2 on .*: no space left$")
    with heard as caught, one.hearing():
        raise torn
    assert caught.value.mistake
    with pytest.raises(PeerFailedError):
        list(one.meeting())


def test_they_meet_once_all_are_there():
    store = dist.HashStore()
    other = threading.Timer(0.1, lambda: list(one_of(2, 1, store).meeting()))
    other.start()
    assert list(one_of(2, 0, store).meeting()) == []
    other.join()


def test_a_sitting_is_not_mistaken_for_an_earlier_one():
    store = dist.HashStore()
    names = []
    for _ in range(3):  # what earlier processes left in the launcher's store stays there
        others = [
            threading.Thread(target=lambda r=rank: names.append(_sitting(store, r, 3)))
            for rank in (1, 2)
        ]
        for other in others:
            other.start()
        name = _sitting(store, 0, 3)
        for other in others:
            other.join()
        assert names == [name, name]
        names.clear()


def test_batch_norms_note_the_mean_of_all_processes(group):
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4).eval())
    assert share_statistics(nn.Sequential(nn.Conv2d(3, 4, 1)), torch.device("cpu"))
    assert not share_statistics(module, torch.device("cpu"))
    names = list(module.state_dict())
    assert share_statistics(module, torch.device("cuda"))
    assert isinstance(module[1], nn.SyncBatchNorm)
    assert list(module.state_dict()) == names

    class Half(Group):
        def add_up(self, tensor):
            tensor += 3

    norms = nn.ModuleList([nn.BatchNorm2d(2), nn.BatchNorm2d(2).eval()])
    mean_statistics(norms, Half(group._store, rank=0, size=2, local_rank=0, local_size=2))
    assert norms[0].running_mean.tolist() == [1.5, 1.5]
    assert norms[0].running_var.tolist() == [2.0, 2.0]
    assert norms[1].running_mean.tolist() == [0.0, 0.0]  # a frozen one stays to the bit


class Kept(dict):
    """A launcher's store."""

    def check(self, keys):
        return all(key in self for key in keys)

    def get(self, key):
        return self[key].encode()

    def set(self, key, value):
        self[key] = value


def test_a_launch_goes_on_with_its_run_when_it_is_started_anew(tmp_path, monkeypatch):
    status = "interrupted"
    monkeypatch.setattr(
        "cnn_core.runs.launch_record.read_summary", lambda _run_dir: {"status": status}
    )
    store, begun = Kept(), []

    def begin() -> Path:
        begun.append(tmp_path / f"run-{len(begun)}")
        return begun[-1]

    for restarts in (0, 1, 2):
        assert run_of_launch(store, restarts, begin) == tmp_path / "run-0"
    status = "stopped"  # by the launcher, to start as many processes as there are machines now
    assert run_of_launch(store, 2, begin) == tmp_path / "run-0"
    # On request, which the launcher takes for a failure.
    with pytest.raises(EndedError, match="run-0 is stopped"):
        run_of_launch(store, 3, begin)
    status = "diverged"
    with pytest.raises(EndedError, match="run-0 is diverged"):
        run_of_launch(store, 3, begin)
    assert len(begun) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_group_on_a_gpu_trains_as_one_alone(lab):
    store = dist.HashStore()
    torch.cuda.set_device(0)
    dist.init_process_group("cpu:gloo,cuda:nccl", store=store, rank=0, world_size=1)
    try:
        experiment = lab.experiment(
            model={"options": {"widths": [4, 6], "batch_norm": True}},
            train={"epochs": 3, "accumulate": 2, "batch_size": 5, "deterministic": True},
        )
        alone = list(stream(experiment, Control(), lab.places("alone"), device="cuda"))
        together = list(
            stream(
                experiment,
                Control(),
                lab.places("together"),
                device="cuda",
                ranks=one_of(1, 0, store),
            )
        )
    finally:
        dist.destroy_process_group()
    assert together[-1].status == "finished"
    for one, two in zip(lab.history(alone), lab.history(together), strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    assert lab.state("together")["model"].keys() == lab.state("alone")["model"].keys()
