"""A run's network as a file: the same network, and everything told that one needs to use it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import torch
from inspect_support import make_images, trained_run
from prepare_support import finish

from cnn_core.backbones.network import build_network
from cnn_core.config import Model
from cnn_core.errors import CnnTuiError, UserError
from cnn_core.export import files, network
from cnn_core.export.files import export_network
from cnn_core.inspect.evaluation import evaluated, part_images
from cnn_core.inspect.trained import load_trained
from cnn_core.progress import Remark

CLASSES = ("ant", "bee \x1b[31m\n", '[cat] "ü", \u202e')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and one run that has ended."""
    folder = tmp_path_factory.mktemp("export")
    make_images(folder / "data" / "images", CLASSES)
    trained_run(folder)
    return folder


def run_of(folder: Path) -> Path:
    (run_dir,) = (folder / "runs").glob("*-tiny-*")
    return run_dir


def exported(folder: Path, file_format, path: Path, run_dir: Path | None = None, **more):
    return finish(
        export_network(
            run_dir or run_of(folder),
            file_format,
            path,
            data_dir=more.pop("data_dir", folder / "data"),
            cache_dir=folder / "cache",
            **more,
        )
    )


def images_and_logits(folder: Path):
    """Return the validation images, uint8 NCHW, and what the run's network says of them."""
    places = {"data_dir": folder / "data", "cache_dir": folder / "cache"}
    part, _ = finish(part_images(run_of(folder), "val", **places))
    said, _ = finish(evaluated(run_of(folder), "val", device="cpu", **places))
    return part.data.images_NHWC[part.positions].transpose(0, 3, 1, 2).copy(), said.logits


def changed(folder: Path, to: Path, old: str, new: str) -> Path:
    """Return a copy of the run with another config.toml."""
    run_dir = shutil.copytree(run_of(folder), to / run_of(folder).name)
    config = run_dir / "config.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    return run_dir


def check_description(told: dict[str, str], folder: Path) -> None:
    trained = load_trained(run_of(folder), device="cpu")
    assert json.loads(told["classes"]) == list(trained.classes)
    assert set(trained.classes) == set(CLASSES)
    assert np.allclose(json.loads(told["mean"]), trained.mean)
    assert np.allclose(json.loads(told["std"]), trained.std)
    assert (told["image_size"], told["resize"], told["backbone"]) == ("16", "18", "cnn")
    assert told["format_version"] == "1"
    assert told["run"] == run_of(folder).name
    assert "[data]" in told["config"]


def test_onnx_gives_the_logits_of_the_run_for_any_number_of_images(folder, tmp_path):
    path = tmp_path / "net.onnx"
    made, _ = exported(folder, "onnx", path)
    assert made.opset == onnx.load(path).opset_import[0].version
    assert (made.comparison.images, made.comparison.what) == (12, "val images")
    assert made.comparison.difference <= 1e-4 * max(1, made.comparison.largest)
    model = onnx.load(path)
    check_description({prop.key: prop.value for prop in model.metadata_props}, folder)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.shape[1:] for one in session.get_inputs()] == [[3, 16, 16]]
    images_NCHW, logits_NC = images_and_logits(folder)
    for count in (1, 2, len(images_NCHW)):
        (found,) = session.run(["logits"], {"images": images_NCHW[:count]})
        assert np.abs(found - logits_NC[:count]).max() <= 1e-4 * max(1, np.abs(logits_NC).max())


def test_torchscript_runs_in_a_process_that_has_only_torch(folder, tmp_path):
    path = tmp_path / "net.pt"
    _, told = exported(folder, "torchscript", path)
    assert any(isinstance(one, Remark) and "deprecated" in one.text for one in told)
    images_NCHW, logits_NC = images_and_logits(folder)
    np.save(tmp_path / "images.npy", images_NCHW)
    code = (
        "import json, sys, numpy, torch\n"
        "told = {'classes': '', 'mean': '', 'std': '', 'image_size': '', 'resize': '',\n"
        "        'backbone': '', 'format_version': '', 'run': '', 'config': ''}\n"
        "module = torch.jit.load('net.pt', _extra_files=told)\n"
        "images = torch.from_numpy(numpy.load('images.npy'))\n"
        "with torch.inference_mode():\n"
        "    logits = torch.cat([module(images[:1]), module(images[1:])])\n"
        "assert not any(name.startswith('cnn_core') for name in sys.modules)\n"
        "numpy.save('logits.npy', logits.numpy())\n"
        "print(json.dumps({name: value.decode() for name, value in told.items()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    check_description(json.loads(done.stdout), folder)
    found = np.load(tmp_path / "logits.npy")
    assert np.abs(found - logits_NC).max() <= 1e-4 * max(1, np.abs(logits_NC).max())


def test_safetensors_are_weights_that_a_preset_can_start_from(folder, tmp_path):
    path = tmp_path / "net.safetensors"
    exported(folder, "safetensors", path, checkpoint="last")
    with safetensors.safe_open(path, framework="pt") as file:
        check_description(file.metadata(), folder)
    model = Model(backbone="cnn", weights=str(path), options={"widths": [4, 6]})
    again = build_network(model, classes=len(CLASSES), image_size=16, seed=5)
    own = load_trained(run_of(folder), "last", device="cpu").network.module.state_dict()
    assert again.module.state_dict().keys() == own.keys()
    assert all(torch.equal(value, own[name]) for name, value in again.module.state_dict().items())


def test_noise_is_compared_where_the_images_are_gone(folder, tmp_path):
    made, told = exported(folder, "safetensors", tmp_path / "a.safetensors", data_dir=tmp_path)
    assert made.comparison.what == "noise images"
    (remark,) = [one for one in told if isinstance(one, Remark)]
    assert remark.warning
    assert remark.text.startswith("compared on noise, as there are no images: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('test_views = "none"', 'test_views = "flip"', "the file holds the plain network"),
        ('precision = "fp32"', 'precision = "bf16"', "the file is float32"),
    ],
)
def test_it_is_told_where_the_file_differs_from_the_run(folder, tmp_path, old, new, said):
    run_dir = changed(folder, tmp_path, old, new)
    path = tmp_path / "a.safetensors"
    made, told = exported(folder, "safetensors", path, run_dir)
    assert made.comparison.difference == 0
    assert any(isinstance(one, Remark) and said in one.text for one in told)
    assert {t.dtype for t in safetensors.torch.load_file(path).values()} <= {
        torch.float32,
        torch.int64,
    }


def test_passwords_of_trackers_stay_here(folder, tmp_path):
    run_dir = changed(folder, tmp_path, "mlflow = false", 'mlflow = "http://u:secret@host"')
    path = tmp_path / "a.safetensors"
    exported(folder, "safetensors", path, run_dir)
    assert b"secret" not in path.read_bytes()


def test_another_network_than_the_runs_is_not_written(folder, tmp_path, monkeypatch):
    class Wrong(network.Normalising):
        def forward(self, images_NCHW):
            return super().forward(images_NCHW) * 1.001

    monkeypatch.setattr(files, "Normalising", Wrong)
    path = tmp_path / "net.pt"
    path.write_text("what was there")
    with pytest.raises(CnnTuiError, match=r"not the run's.*no file was written") as caught:
        exported(folder, "torchscript", path)
    assert caught.value.exit_code == 1
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "what was there"


def test_weights_that_diverged_are_told(folder, tmp_path):
    run_dir = shutil.copytree(run_of(folder), tmp_path / "run")
    checkpoint = run_dir / "checkpoints" / "best.pt"
    state = torch.load(checkpoint, weights_only=True)
    state["model"] = {key: value * float("nan") for key, value in state["model"].items()}
    torch.save(state, checkpoint)
    with pytest.raises(CnnTuiError, match="diverged"):
        exported(folder, "safetensors", tmp_path / "a.safetensors", run_dir)


@pytest.mark.parametrize(
    ("file_format", "name", "told"),
    [
        ("onnx", "net.pt", r"net\.pt: expected a name that ends in \.onnx"),
        ("torchscript", "net", r"ends in \.pt or \.ts or \.torchscript"),
        ("safetensors", "none/net.safetensors", "none: no such folder"),
    ],
)
def test_a_place_where_no_file_belongs_is_refused(folder, tmp_path, file_format, name, told):
    with pytest.raises(UserError, match=told):
        exported(folder, file_format, tmp_path / name)


def test_a_missing_extra_is_told_with_its_command(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"needs onnxscript: pip install 'cnn-tui\[onnx\]'"):
        exported(folder, "onnx", tmp_path / "net.onnx")
