"""Odd and damaged input: a result, or one error told. Few examples; the campaign tries many."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fuzz_runs import run_surfaces
from fuzz_support import Surface, told
from fuzz_texts import text_surfaces

from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.reader import parse_summary
from cnn_core.runs.summary_state import RunSummary
from cnn_tui.output import print_json
from cnn_tui.settings import State

EXAMPLES = 40
TEXTS = (
    *("presets", "overrides (--set)", "sweep files", "study files", "filters and sort keys"),
    *("event lines", "control requests", "lists of a split", "notes of a split", "predictions"),
    "drafts of an experiment",
)
RUNS = (
    *("damaged runs, read", "damaged runs, shown", "damaged runs, changed", "damaged sweeps"),
    *("rows of the index", "damaged runs, in the app", "what the app remembers"),
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Surface]:
    return text_surfaces(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Surface]:
    return run_surfaces(tmp_path_factory.mktemp("runs"))


def attempt(surface: Surface, examples: int) -> None:
    """Try so many examples, the same ones each time."""

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(surface.cases)
    def cases(case: Any) -> None:
        surface.check(case)

    cases()


@pytest.mark.parametrize("name", TEXTS)
def test_what_people_write(texts: dict[str, Surface], name: str):
    attempt(texts[name], EXAMPLES)


@pytest.mark.parametrize("name", RUNS)
def test_damaged_runs(runs: dict[str, Surface], name: str, monkeypatch, tmp_path):
    monkeypatch.setenv("CNN_TUI_CONFIG", str(tmp_path))
    attempt(runs[name], max(1, EXAMPLES // (2 * runs[name].costs)))


def test_all_surfaces_are_tried(texts: dict[str, Surface], runs: dict[str, Surface]):
    assert set(texts) == set(TEXTS)
    assert set(runs) == set(RUNS)


@pytest.mark.parametrize(
    "text",
    [
        f"seed = {'1' * 5000}",
        f"seed = 0x{'f' * 5000}",
        f"[data]\nclasses = [0x{'f' * 5000}]",
        f"notes = {'[' * 5000}",
        f"tags = [{'1, ' * 3000}]",
        f"[data]\ndataset = '{'x' * 5000}'",
        f"{'x' * 5000} = 1",
    ],
    ids=lambda text: text[:20],
)
def test_mistakes_of_any_size_are_told_in_a_few_lines(tmp_path: Path, text: str):
    path = tmp_path / "preset.toml"
    path.write_text(text)
    assert told(lambda: load_experiment(path)) is None


@pytest.mark.parametrize(
    "key",
    [
        *("model.options.widths=[1099511627776]", "train.batch_size=4611686018427387904"),
        *("data.limit=9223372036854775807", "model.head_hidden=2147483647"),
        'augment.transforms=[{name="random_crop", padding=2000000000}]',
        'augment.transforms=[{name="rand_augment", ops=2000000000}]',
    ],
)
def test_numbers_that_no_machine_holds_are_mistakes(key: str):
    with pytest.raises(UserError, match="less than"):
        load_experiment("digits", [key, "model.backbone=convnet"])


@pytest.mark.parametrize(
    "odd",
    [
        *({"name": ["x"]}, {"id": 3}, {"notes": None}, {"tags": "t"}, {"tags": [1]}, {"error": []}),
        *({"created": "NaN"}, {"created": float("inf")}, {"created": 10**400}, {"epochs": "x"}),
    ],
    ids=str,
)
def test_a_summary_that_nobody_writes_is_damaged(odd: dict[str, Any]):
    document = RunSummary("run", {"name": "one"}, 1.0).document()
    assert parse_summary(json_bytes(document))["name"] == "one"
    with pytest.raises(ValueError, match="not a summary"):
        parse_summary(json_bytes(document | odd))


def test_labels_that_are_none_are_left_out():
    document = RunSummary("run", {"name": 3, "tags": "t", "notes": [], "train": []}, 1.0).document()
    assert (document["name"], document["tags"], document["notes"]) == ("run", [], "")
    assert document["epochs"] is None


def test_what_the_app_remembers_is_brought_within_bounds(tmp_path: Path):
    for kept, taken in (("NaN", 0.0), ("Infinity", 0.99), ("-0.5", 0.0), ("0.5", 0.5)):
        (tmp_path / "state.json").write_text(f'{{"smoothing": {kept}}}')
        assert State.read(tmp_path).smoothing == taken


def test_json_for_terminals_is_escaped_and_the_same(capsys: pytest.CaptureFixture[str]):
    value = {"a\x9b1m": "\u202e\x7f\U000e0001 ünï 猫", "nan": float("nan")}
    print_json(value)
    written = capsys.readouterr().out
    assert written.replace("\n", "").isprintable()
    assert json.loads(written) == value | {"nan": "NaN"}
