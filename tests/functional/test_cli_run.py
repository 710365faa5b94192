"""cnn-tui run: what it writes, where, and that it repeats."""

import json
import re
from pathlib import Path

from cnn_core.training.events import RunFinished, decode

TINY = ("--set", "train.epochs=1", "--set", "data.limit=100")


def test_a_run_narrates_on_stderr_and_leaves_a_complete_folder(stored):
    done, run_dir = stored.first, stored.run_dirs()[0]
    held = {str(path.relative_to(run_dir)) for path in run_dir.rglob("*") if path.is_file()}
    assert held >= {
        "config.toml",
        "environment.json",
        "events.jsonl",
        "summary.json",
        "checkpoints/best.pt",
        "checkpoints/last.pt",
        "predictions/test.npz",
    }
    assert not [name for name in held if "heartbeat" in name or Path(name).name.startswith(".")]
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert facts["status"] == "finished"
    assert facts["run"] == str(run_dir)
    best = stored.json("show", run_dir.name)["test"]["acc"]
    assert facts["test accuracy"].startswith(f"{100 * best:.2f}% (best weights")
    lines = done.stderr.splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 1/2",
        "epoch 2/2",
    ]
    assert not set("\x1b\r") & set(done.stderr + done.stdout)
    environment = json.loads((run_dir / "environment.json").read_text())
    assert environment["command"][1:4] == ["run", "digits", "--headless"]
    assert environment["dataset_fingerprint"]


def test_the_config_of_a_run_repeats_it_in_the_background(stored, cli):
    first = stored.run_dirs()[0]
    cli.notify(command=f'echo "$CNN_TUI_STATUS" > {cli.folder}/told.txt')
    done = cli("run", first / "config.toml", "--detach")
    again = cli.only_run()
    assert done.stdout == f"{again.name}\n"
    cli.wait_for(lambda: cli.events(again, "run_finished"))
    cli.wait_for(lambda: cli.json("show", again.name)["status"] == "finished")
    assert "epoch 2/2" in (again / "log.txt").read_text()
    cli.wait_for((cli.folder / "told.txt").exists)
    assert (again / "config.toml").read_text() == (first / "config.toml").read_text()
    cli.assert_same_weights(first, again, "last")
    cli.assert_same_weights(first, again, "best")


def test_json_is_events_of_a_run_with_name_tags_and_settings_of_each_type(cli):
    done = cli(
        *("run", "digits", "--json", *TINY, "--name", "Läng[/]er name"),
        *("--tag", "a", "--tag", "b c", "--set", 'notes="quoted = [text]"'),
        *("--set", "seed=7", "--set", "optim.lr=1e-3", "--set", "optim.nesterov=false"),
        *("--set", "data.normalize=half", "--set", "model.options={widths = [8]}"),
        *("--set", 'data.classes=["3", "1"]'),
    )
    run_dir = cli.only_run()
    assert re.fullmatch(r"\d{8}-\d{6}-Lang-er-name-[0-9a-f]{4}", run_dir.name)
    events = [decode(line)[1] for line in done.stdout.splitlines()]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].status == "finished"
    assert sum(isinstance(event, RunFinished) for event in events) == 1
    written = (run_dir / "events.jsonl").read_text().splitlines()
    assert [decode(line)[1] for line in written] == events

    shown = cli.json("show", "last")
    assert shown["name"] == "Läng[/]er name"
    assert shown["tags"] == ["a", "b c"]
    config = shown["config"]
    assert (config["seed"], config["optim"]["lr"], config["optim"]["nesterov"]) == (7, 1e-3, False)
    assert config["notes"] == "quoted = [text]"
    assert config["data"]["normalize"] == "half"
    assert config["data"]["classes"] == ["3", "1"]
    assert config["model"]["options"] == {"widths": [8]}
    assert shown["split"]["classes"] == 2


def test_divergence_is_a_failure_with_advice(cli):
    done = cli(
        *("run", "digits", *TINY, "--set", "optim.lr=1e20", "--set", "optim.schedule=constant"),
        rc=1,
    )
    assert "diverged: the loss became" in done.stderr
    assert "try --set optim.lr=" in done.stderr
    shown = cli.json("show", "last")
    assert shown["status"] == "diverged"
    refused = cli("resume", "last", rc=2)
    assert "would again" in refused.stderr
    assert f"{cli.only_run()}/config.toml" in refused.stderr


def test_a_corrupt_image_can_be_skipped(cli):
    cli.make_images(cli.data / "mine", ["cat", "dog"], 10)
    (cli.data / "mine/dog/broken.png").write_bytes(b"no image")
    done = cli(
        *("run", "digits", "--set", "data.dataset=folder", "--set", "data.root=mine"),
        *("--set", "data.image_size=8", "--set", "train.epochs=1"),
        *("--set", "model.options.widths=[8]", "--set", "data.on_corrupt=skip"),
    )
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "1 corrupt image skipped: dog/broken.png" in warnings[0]
    split = cli.json("show", "last")["split"]
    assert split["train"] + split["val"] + split["test"] == 20
    assert "broken.png" in (cli.only_run() / "log.txt").read_text()
