"""export: a run for other programs."""

import json

import pytest


def test_a_network_is_written_and_told_of(stored, tmp_path):
    path = tmp_path / "net.safetensors"
    made = stored.json("export", "last", "--format", "safetensors", "--out", path)
    assert made["bytes"] == path.stat().st_size
    assert made["run"] == stored.run_dirs()[1].name
    assert (made["checkpoint"], made["opset"]) == ("best", None)
    assert made["compared"]["images"] == 16
    assert made["compared"]["of"] == "val images"
    assert made["compared"]["largest_difference"] == 0


def test_curves_go_to_event_files(stored, tmp_path):
    run_id = stored.run_dirs()[0].name
    done = stored("export", run_id, "--format", "tensorboard", "--out", tmp_path)
    assert done.stdout.splitlines()[0].split() == ["tensorboard", str(tmp_path / run_id)]
    assert done.stderr == ""
    (file,) = (tmp_path / run_id).iterdir()
    assert file.name.startswith("events.out.tfevents.")
    made = json.loads(
        stored("export", run_id, "--format", "tensorboard", "--out", tmp_path, "--json").stdout
    )
    assert made["points"] > 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "onxn", "--out", "x"], "--format: unknown 'onxn'; did you mean 'onnx'?"),
        (["--format", "onnx"], "--format onnx needs --out FILE"),
        (["--format", "onnx", "--out", "net.pt"], "net.pt: expected a name that ends in .onnx"),
        (
            ["--format", "onnx", "--out", "x", "--checkpoint", "bets"],
            "--checkpoint: unknown 'bets'; did you mean 'best'?",
        ),
        (
            ["--format", "mlflow", "--checkpoint", "last"],
            "--checkpoint chooses weights; --format mlflow has none",
        ),
        (["--format", "mlflow", "--out", "x"], "x: no store of MLflow; expected such as sqlite:"),
    ],
)
def test_mistakes_are_one_sentence(stored, arguments, told):
    done = stored("export", "last", *arguments, rc=2)
    assert " ".join(done.stderr.split()).startswith(f"error: {told}")
    assert done.stdout == ""
