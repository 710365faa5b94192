"""The schemas that editors go by: they accept what loads, and find what is mistyped."""

from collections.abc import Callable

import jsonschema
import pytest
import tomli
import tomli_w

from cnn_core.augment.catalog import TRANSFORMS
from cnn_core.backbones.catalog import BACKBONES
from cnn_core.backbones.timm_names import timm_names
from cnn_core.config import Experiment
from cnn_core.preset_mistakes import mistakes
from cnn_core.schema import schema_of
from cnn_core.search.sweep_files import load_sweep
from cnn_core.shipped import shipped_presets

Refused = Callable[[str, str], list[str]]

PRESET = '[data]\ndataset = "digits"\n[model]\nbackbone = "cnn"\n'
SWEEP = 'preset = "digits"\n[search]\nsampler = "grid"\n[parameters]\n'
STUDY = 'title = "t"\n[[rows]]\nid = "A"\nwhat = "w"\n[[rows.arms]]\n'


@pytest.fixture(scope="module")
def refused() -> Refused:
    """Return the keys that the schema of a kind refuses in a text."""
    validators = {
        kind: jsonschema.Draft7Validator(schema_of(kind)) for kind in ("preset", "sweep", "study")
    }
    for validator in validators.values():
        validator.check_schema(validator.schema)

    def look(kind: str, text: str) -> list[str]:
        errors = validators[kind].iter_errors(tomli.loads(text))
        return [".".join(map(str, error.absolute_path)) for error in errors]

    return look


@pytest.mark.parametrize(
    ("kind", "folder"), [("preset", ""), ("sweep", "sweeps"), ("study", "studies")]
)
def test_every_shipped_file_is_accepted(refused: Refused, kind: str, folder: str):
    shipped = shipped_presets(folder)
    assert shipped
    assert {name: refused(kind, path.read_text()) for name, path in shipped.items()} == {
        name: [] for name in shipped
    }


@pytest.mark.parametrize(
    "text",
    [
        'name = "x"\nseed = 4294967295\ntags = ["a"]\n',
        '[data]\ndataset = "folder"\nroot = "/x"\nclasses = ["a", "b"]\nval_fraction = 0\n',
        '[data]\ndataset = "digits"\nnormalize = "half"\nlimit = 9\non_corrupt = "skip"\n',
        '[data]\ndataset = "digits"\nwhole = true\n[augment]\npolicy = "resized-crop"\n',
        '[model]\nbackbone = "timm:resnet18.a1_in1k"\nweights = "imagenet"\n',
        '[model]\nbackbone = "resnet18"\nweights = "mine.pt"\noptions.stem = "small"\n',
        '[model]\nbackbone = "mlp"\nhead = "mlp"\nhead_hidden = 9\ndropout = 0.5\ncut = 1\n',
        '[freeze]\npolicy = "first:12"\nunfreeze_at = 2\nlr_scale = 0.1\n',
        '[optim]\nname = "adamw"\nlr = 1\nschedule = "plateau"\nstep_size = 3\n',
        '[train]\nbatch_size = "auto"\nprecision = "bf16"\ncompile = true\ncuda_graphs = true\n',
        "[train]\nbatch_size = 2147483647\naccumulate = 4\nearly_stopping = 2\n",
        '[tracking]\ntensorboard = true\nmlflow = "sqlite:///x.db"\n',
        '[tracking]\ntensorboard = "boards"\nmlflow = false\n',
        "augment.transforms = []\n",
    ],
)
def test_what_loads_is_accepted(refused: Refused, text: str):
    if "timm:" in text and not timm_names():
        pytest.skip("timm is not installed")
    text += "".join(
        f"{section}\n"
        for section in ('[data]\ndataset = "digits"', '[model]\nbackbone = "cnn"')
        if section.splitlines()[0] not in text
    )
    assert mistakes(tomli.loads(text)) == []
    assert refused("preset", text) == []


def test_every_backbone_and_transform_is_accepted_with_all_of_its_options(refused: Refused):
    for name in BACKBONES.names():
        options = BACKBONES[name].options().model_dump()
        model = {"backbone": name, "options": options}
        assert (
            refused("preset", tomli_w.dumps({"data": {"dataset": "digits"}, "model": model})) == []
        )
    for name in TRANSFORMS.names():
        options = {
            key: value
            for key, value in TRANSFORMS[name].options().model_dump().items()
            if value is not None
        }
        table = tomli_w.dumps({"augment": {"transforms": [{"name": name, **options}]}})
        assert refused("preset", table + PRESET) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sed = 1\n" + PRESET, ""),
        ("[optm]\n" + PRESET, ""),
        (f"{PRESET}widths = 3\n", "model"),
        (f"{PRESET}[train]\nepochs = 0\n", "train.epochs"),
        (f'{PRESET}[train]\nepochs = "3"\n', "train.epochs"),
        (f'{PRESET}[train]\nbatch_size = "big"\n', "train.batch_size"),
        (f'{PRESET}[optim]\nschedule = "cosin"\n', "optim.schedule"),
        (f'{PRESET}[freeze]\npolicy = "first:0"\n', "freeze.policy"),
        (f'{PRESET}[freeze]\npolicy = "backbones"\n', "freeze.policy"),
        (f'{PRESET}[augment]\npolicy = "flop"\n', "augment.policy"),
        (f'{PRESET}[[augment.transforms]]\nname = "flip"\n', "augment.transforms.0.name"),
        (f"{PRESET}[[augment.transforms]]\np = 1\n", "augment.transforms.0"),
        (f'{PRESET}[[augment.transforms]]\nname = "random_crop"\np = 1\n', "augment.transforms.0"),
        (PRESET.replace('"cnn"', '"alexnt"'), "model.backbone"),
        (PRESET.replace('"cnn"', '"timm:"'), "model.backbone"),
        (PRESET.replace('"digits"', '"cifar"'), "data.dataset"),
        (f"{PRESET}options.width = [3]\n", "model.options"),
        (f"{PRESET}options.widths = [0]\n", "model.options.widths.0"),
        (PRESET.replace('"cnn"', '"alexnet"') + "options.widths = [1]\n", "model.options"),
        ('[data]\ndataset = "digits"\n', ""),
    ],
)
def test_mistakes_are_found_where_they_are(refused: Refused, text: str, key: str):
    assert mistakes(tomli.loads(text))
    assert refused("preset", text) == [key]


@pytest.mark.parametrize(
    "text",
    [
        "optim.lr = {values = [0.1]}\n[set]\ntrain.epochs = 2\n",
        '"optim.lr" = {values = [0.1]}\n[set]\n"train.epochs" = 2\n',
        '[parameters.optim.lr]\ntype = "int"\nlow = 1\nhigh = 2\n[set.train]\nepochs = 2\n',
        "seed = {values = [1, 2]}\n",
        "model.options.widths = {values = [[4], [8, 8]]}\n",
        '"model.options" = {values = [{widths = [4]}]}\n',
        '[parameters.model]\n"options.widths" = {values = [[4]]}\n',
        'augment = {values = [{policy = "flip"}, {policy = "crop"}]}\n',
        'augment.transforms = {values = [[], [{name = "random_crop"}]]}\n',
        "optim.lr = {values = [0.1]}\n[set.model.options]\nwidths = [3]\n",
        'optim.lr = {values = [0.1]}\n[set.model]\n"options.widths" = [3]\n',
    ],
)
def test_settings_of_a_sweep_may_be_dotted_or_in_tables(refused: Refused, text: str, tmp_path):
    whole = SWEEP.replace("[parameters]\n", "") + text if "[parameters." in text else SWEEP + text
    (tmp_path / "s.toml").write_text(whole)
    load_sweep(tmp_path / "s.toml")
    assert refused("sweep", whole) == []


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("sweep", f'{SWEEP}"optim.lrr" = {{values = [1]}}\n', "parameters"),
        ("sweep", f"{SWEEP}optim.lrr = {{values = [1]}}\n", "parameters.optim"),
        ("sweep", f"{SWEEP}optim.lr = {{value = [1]}}\n", "parameters.optim.lr"),
        ("sweep", f'{SWEEP}optim.lr = {{values = ["x"]}}\n', "parameters.optim.lr.values.0"),
        ("sweep", f"{SWEEP}seed = {{values = [1]}}\n[set]\ntrain.epoch = 1\n", "set.train"),
        ("sweep", SWEEP.replace("grid", "gird") + "seed.values = [1]\n", "search.sampler"),
        ("sweep", f"{SWEEP}seed.values = [1]\n[launch]\nworker = 1\n", "launch"),
        ("study", f'{STUDY}preset = "digits"\nset = {{"train.epoch" = 3}}\n', "rows.0.arms.0.set"),
        (
            "study",
            f'{STUDY}preset = "digits"\nreported = {{"acc" = 3}}\n',
            "rows.0.arms.0.reported",
        ),
        ("study", f'{STUDY}prest = "digits"\n', "rows.0.arms.0"),
        (
            "study",
            f'{STUDY}layers = {{backbone = "alexnt", classes = 3, image_size = 8}}\n',
            "rows.0.arms.0.layers.backbone",
        ),
    ],
)
def test_mistakes_of_sweeps_and_studies_are_found(refused: Refused, kind: str, text: str, key: str):
    assert refused(kind, text) == [key]


def test_it_tells_each_key_with_its_help_and_its_default():
    schema = schema_of("preset")
    assert schema["$schema"].startswith("http://json-schema.org/draft-07/")
    assert schema["title"] == "Preset of cnn-tui"
    assert schema["additionalProperties"] is False
    train = schema["definitions"]["Train"]
    assert train["additionalProperties"] is False
    assert train["properties"]["epochs"]["description"] == "Passes over the training images."
    assert train["properties"]["epochs"]["default"] == 10
    for section, field in Experiment.model_fields.items():
        for key in getattr(field.annotation, "model_fields", ()):
            told = schema["definitions"][section.capitalize()]["properties"][key]
            assert told["description"], key


@pytest.mark.parametrize("kind", ["preset", "sweep", "study"])
def test_editors_that_read_no_more_than_properties_complete_keys_and_show_help(kind):
    """What taplo passes over: keys beside allOf, help beside anyOf."""

    def parts(part):
        yield part
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict | list):
                yield from parts(inner)

    schema = schema_of(kind)
    for part in parts(schema):
        if isinstance(part, dict):
            assert "allOf" not in part
            assert all("description" in choice for choice in part.get("anyOf", []))
            if "$ref" in part:
                found = schema
                for step in part["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
                assert found
