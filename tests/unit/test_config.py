"""The models of a preset: what they refuse, and what they say of themselves."""

import pytest
from pydantic import BaseModel, ValidationError

from cnn_core.config import (
    Augment,
    Data,
    Experiment,
    Freeze,
    Model,
    Optim,
    Section,
    Tracking,
    Train,
)

DATA, MODEL = Data(dataset="digits"), Model(backbone="cnn")


def refused(make) -> list[str]:
    """Return the keys that a model finds impossible together."""
    with pytest.raises(ValidationError) as caught:
        make()
    (error,) = caught.value.errors()
    return [key for key, _ in error["ctx"]["n"]]


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (lambda: Data(dataset="digits", image_size=224, resize=200), ["resize"]),
        (lambda: Data(dataset="digits", val_fraction=0.5, test_fraction=0.5), ["val_fraction"]),
        (lambda: Data(dataset="digits", classes=["1", "1"]), ["classes"]),
        (lambda: Model(backbone="cnn", head="mlp"), ["head_hidden"]),
        (
            lambda: Model(backbone="cnn", head_hidden=9, head_batch_norm=True),
            ["head_hidden", "head_batch_norm"],
        ),
        (lambda: Freeze(policy="frst:1"), ["policy"]),
        (lambda: Freeze(policy="first:0"), ["policy"]),
        (lambda: Freeze(policy="backbone\n"), ["policy"]),
        (lambda: Freeze(unfreeze_at=3), ["unfreeze_at"]),
        (lambda: Freeze(policy="backbone", lr_scale=0.1), ["lr_scale"]),
        (lambda: Augment(policy="flip", transforms=[]), ["transforms"]),
        (lambda: Optim(nesterov=True, momentum=0.0), ["nesterov"]),
        (lambda: Optim(nesterov=True, name="adam"), ["nesterov"]),
        (lambda: Optim(schedule="step"), ["step_size"]),
        (lambda: Optim(schedule="plateau"), ["step_size"]),
        (lambda: Optim(schedule="one_cycle", warmup_epochs=1.0), ["warmup_epochs"]),
        (lambda: Tracking(tensorboard="", mlflow="runs/store"), ["tensorboard", "mlflow"]),
        (
            lambda: Experiment(
                data=DATA,
                model=MODEL,
                freeze=Freeze(policy="backbone", unfreeze_at=11),
                optim=Optim(warmup_epochs=10.0),
            ),
            ["freeze.unfreeze_at", "optim.warmup_epochs"],
        ),
        (
            lambda: Experiment(data=DATA, model=MODEL, freeze=Freeze(keep_statistics=True)),
            ["freeze.keep_statistics"],
        ),
    ],
)
def test_impossible_combinations_are_refused_by_key(make, keys):
    assert refused(make) == keys


@pytest.mark.parametrize("policy", ["none", "convolutional", "classifier", "backbone", "first:12"])
def test_freezing_policies(policy):
    assert Freeze(policy=policy).policy == policy


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (Data, "val_fraction", 1.0),
        (Data, "val_fraction", float("nan")),
        (Data, "image_size", 0),
        (Data, "image_size", True),
        (Data, "split_seed", -1),
        (Optim, "lr", 0.0),
        (Optim, "lr", float("inf")),
        (Optim, "lr", "0.1"),
        (Train, "epochs", 1.5),
        (Train, "batch_size", "largest"),
        (Train, "compile", 1),
    ],
)
def test_values_out_of_range_or_of_another_type_are_refused(section: type[Section], key, value):
    needed = {"dataset": "digits"} if section is Data else {}
    with pytest.raises(ValidationError) as caught:
        section(**needed, **{key: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


def test_an_experiment_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        DATA.dataset = "cifar10"


def test_every_key_has_its_help():
    def undocumented(model: type[BaseModel]) -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            if not field.description:
                missing.append(f"{model.__name__}.{name}")
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                missing += undocumented(field.annotation)
        return missing

    assert undocumented(Experiment) == []
