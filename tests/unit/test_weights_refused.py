"""Files that are no weights, or hostile: each is refused with a sentence."""

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from weights_support import build, refusal

from cnn_core.backbones.network import build_network
from cnn_core.config import Model
from cnn_core.errors import UserError


@pytest.fixture
def saved(tmp_path) -> tuple[Path, dict[str, torch.Tensor]]:
    state = build(seed=1).module.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    return tmp_path / "weights.pt", state


def test_missing_file():
    assert "no weights 'missing.pt' for cnn, nor such a file" in refusal("missing.pt")


def test_misspelt_name():
    model = Model(backbone="alexnet", weights="imagnet")
    with pytest.raises(UserError, match="did you mean 'imagenet'"):
        build_network(model, classes=2, image_size=64)


def test_imagenet_of_a_backbone_without_weights():
    assert "no weights 'imagenet' for cnn" in refusal("imagenet")


def test_folder(tmp_path):
    assert "nor such a file" in refusal(tmp_path)


def test_wrong_shape(saved):
    file, state = saved
    torch.save({**state, "block2.0.weight": torch.zeros(8, 4, 5, 5)}, file)
    assert "block2.0.weight is 8x4x5x5, expected 8x4x3x3" in refusal(file)


def test_wrong_architecture(tmp_path):
    with torch.device("meta"):
        names = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "squeezenet.pt")
    message = refusal(tmp_path / "squeezenet.pt")
    assert "are not those of cnn: 10 missing (block1.0.weight, block1.1.bias, " in message
    assert f"{len(names)} unexpected (classifier.1.bias, " in message


def test_more_than_the_architecture(saved):
    file, state = saved
    torch.save({**state, "block9.weight": torch.zeros(1)}, file)
    assert "are not those of cnn: 1 unexpected (block9.weight)" in refusal(file)


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_not_run(tmp_path, legacy):
    marker, file = tmp_path / "executed", tmp_path / "bad.pt"
    torch.save({"fc.weight": Malicious(marker)}, file, _use_new_zipfile_serialization=not legacy)
    assert "were refused: reading them would run code (posix.mkdir)" in refusal(file)
    assert not marker.exists()
    # The file is what it claims to be: an unwary reader does run it.
    torch.load(file, weights_only=False)
    assert marker.exists()


def test_plain_pickle_is_not_run(tmp_path):
    marker, file = tmp_path / "executed", tmp_path / "bad.pkl"
    file.write_bytes(pickle.dumps(Malicious(marker), protocol=2))
    assert "would run code" in refusal(file)
    assert not marker.exists()


def test_torchscript_is_not_run(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch discourages what is shared all the same
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "program.pt"))
    assert "were refused: TorchScript is a program" in refusal(tmp_path / "program.pt")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_of_objects_are_not_unpickled(tmp_path, suffix):
    marker, file = tmp_path / "executed", tmp_path / f"bad.{suffix}"
    array = np.array([Malicious(marker)], object)
    np.save(file, array) if suffix == "npy" else np.savez(file, array)
    assert "not a file written by torch.save" in refusal(file)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (torch.zeros(3, dtype=torch.complex64), "complex"),
        (torch.zeros(3, device="meta"), "meta"),
        (torch.eye(3).to_sparse(), "sparse"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_tensors_of_other_kinds_are_refused(tmp_path, tensor, kind):
    torch.save({"a": tensor}, tmp_path / "x.pt")
    assert f"hold a {kind} tensor at 'a'" in refusal(tmp_path / "x.pt")


def test_whole_module(tmp_path):
    torch.save(build().module, tmp_path / "module.pt")
    assert "save the state dict alone" in refusal(tmp_path / "module.pt")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"hello weights", bytes(1000)])
def test_not_a_file_of_weights(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    assert "are damaged, or not a file written by torch.save" in refusal(tmp_path / "x.pt")


def test_torn_file(saved):
    file, _ = saved
    file.write_bytes(file.read_bytes()[:-500])
    assert "are damaged" in refusal(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "are a list, expected names and tensors"),
        ({}, "are a dict, expected names and tensors"),
        ({"fc.weight": 3}, "hold a int at 'fc.weight', expected a tensor"),
        ({"model": torch.zeros(2)}, "are a Tensor, expected names and tensors"),
    ],
)
def test_other_content(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    assert message in refusal(tmp_path / "x.pt")


def test_control_characters_of_a_file_are_escaped(tmp_path):
    state = {**build().module.state_dict(), "\x1b[2J": torch.zeros(1)}
    torch.save(state, tmp_path / "red\x1b[31m.pt")
    assert "\x1b" not in refusal(tmp_path / "red\x1b[31m.pt")


@pytest.mark.parametrize("content", [b"", b"hello weights", bytes(1000)])
def test_damaged_safetensors(tmp_path, content):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    assert "are damaged, or no safetensors" in refusal(file)
