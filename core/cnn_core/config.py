"""The experiment that a preset describes: one frozen model for each of its sections.

The docstring under a field is its help text everywhere: in documentation, errors and forms.
Names (of data sets, backbones, policies) are checked by ``preset_files``, which knows them.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from cnn_core.errors import did_you_mean

Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Width = Annotated[int, Field(ge=1, le=100_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TestViews = Literal["none", "flip", "flip-shift"]
LONGEST_NAME = 120
# Scalars and lists of them: all that TOML options of a backbone or a transform need.
Options = dict[str, Any]


class Section(BaseModel):
    """A part of a preset: strict types, no unknown keys, immutable once read."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if mistakes := self.impossible():
            raise PydanticCustomError("combinations", "{n} mistakes", {"n": mistakes})
        return self

    def impossible(self) -> list[tuple[str, str]]:
        """Return ``(key, message)`` for each value that another one makes impossible."""
        return []


class Data(Section):
    """Which images, how they are split, and how they are brought to one size."""

    dataset: str
    """Name of the data set, such as digits, cifar10 or folder: your own images."""
    root: str | None = None
    """Folder of the data set, absolute or below the data folder; default: its name."""
    classes: list[str] | None = Field(default=None, min_length=1)
    """Keep only these classes, in this order; default: all."""
    val_fraction: Fraction = 0.2
    """Share of the training images set aside for validation, where no split is given."""
    test_fraction: Fraction = 0.2
    """Share of all images set aside for the test, where the data set has no test part."""
    image_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Side in pixels of the square images; default: the data set's own size, else 224."""
    resize: Annotated[int, Field(ge=1, le=8192)] | None = None
    """Length in pixels of the shorter side before the centre crop; default: image_size."""
    whole: bool = False
    """Keep training images whole (at most 2 x resize) for a random_resized_crop that is first."""
    normalize: Literal["dataset", "imagenet", "half", "none"] = "dataset"
    """Mean and deviation: of the training images, ImageNet's, 0.5, or none (0 to 1)."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the split, apart from the seed of training so that runs stay comparable."""
    limit: Count | None = None
    """Use at most this many images of each part, the same share of every class."""
    on_corrupt: Literal["error", "skip"] = "error"
    """What an unreadable image does: end the run, or be skipped, counted and listed."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check sizes, fractions and class names against each other."""
        wrong = []
        if self.resize and self.image_size and self.resize < self.image_size:
            wrong.append(("resize", f"{self.resize} is below image_size = {self.image_size}"))
        if self.val_fraction + self.test_fraction >= 1:
            wrong.append(("val_fraction", "val_fraction + test_fraction leaves nothing to train"))
        if self.classes and len(set(self.classes)) < len(self.classes):
            wrong.append(("classes", "a class is named twice"))
        return wrong


class Model(Section):
    """The network: a backbone, its weights and its head."""

    backbone: str
    """Name of the backbone (`cnn-tui backbones` lists them)."""
    weights: str = "none"
    """"none", "imagenet", or the path of a file of weights."""
    head: Literal["linear", "mlp"] = "linear"
    """The last layers: one linear layer, or hidden layer, ReLU, linear layer."""
    head_hidden: Width | None = None
    """Width of the mlp head's hidden layer."""
    head_batch_norm: bool = False
    """Batch norm after the mlp head's hidden layer."""
    dropout: Fraction | None = None
    """Dropout probability of the backbone; default: the backbone's own."""
    init: Literal["default", "xavier", "kaiming"] = "default"
    """Initial values of convolutions and linear layers that start without weights."""
    cut: Count | None = None
    """Keep only the first N stages of the backbone."""
    options: Options = Field(default_factory=dict)
    """Options of the backbone itself, such as widths or batch_norm."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check the head's keys against its kind."""
        wrong = []
        if self.head == "mlp" and self.head_hidden is None:
            wrong.append(("head_hidden", 'needed by head = "mlp": the width of the hidden layer'))
        if self.head == "linear" and self.head_hidden is not None:
            wrong.append(("head_hidden", 'only head = "mlp" has a hidden layer'))
        if self.head == "linear" and self.head_batch_norm:
            wrong.append(("head_batch_norm", 'only head = "mlp" has a hidden layer'))
        return wrong


FREEZING_POLICIES = ("none", "convolutional", "classifier", "backbone")


class Freeze(Section):
    """What does not train."""

    policy: str = "none"
    """What is frozen: none, convolutional, classifier, backbone, or first:N stages."""
    unfreeze_at: Annotated[int, Field(ge=2)] | None = None
    """Epoch from which the frozen layers train too."""
    lr_scale: Positive = 1.0
    """Learning rate of layers unfrozen at unfreeze_at, relative to the others."""
    keep_statistics: bool = False
    """Keep the means and variances of the weights' batch norms: often better on few images."""
    reuse: bool = True
    """Compute what frozen layers give once, not in every epoch, where nothing random precedes."""
    views: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Augment each image this many times in all, for reuse; default: anew in every epoch."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check the policy, and that there is something to unfreeze."""
        if not re.fullmatch(f"{'|'.join(FREEZING_POLICIES)}|first:[1-9][0-9]*", self.policy):
            near = did_you_mean(self.policy, [*FREEZING_POLICIES, "first:N"])
            return [("policy", f"unknown policy {self.policy!r}{near}")]
        if self.policy == "none" and self.unfreeze_at is not None:
            return [("unfreeze_at", 'nothing is frozen by policy = "none"')]
        if self.unfreeze_at is None and self.lr_scale != 1.0:
            return [("lr_scale", "applies to layers unfrozen later: set unfreeze_at as well")]
        if self.views is not None and (self.policy == "none" or not self.reuse):
            return [("views", "needs frozen layers and reuse = true")]
        return []


class Augment(Section):
    """Random changes of the training images, drawn anew for each image and epoch; test views."""

    policy: str = "none"
    """Name of a set of transforms, such as flip, flip-crop, geometric, colour, trivial or rand."""
    transforms: list[Options] | None = None
    """Transforms in order instead of a policy: {name = "random_crop", padding = 4}."""
    test_views: TestViews = "none"
    """What validation and test take the mean logits of: mirrored images too, and shifted ones."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check that one of policy and transforms decides."""
        if self.transforms is not None and self.policy != "none":
            return [("transforms", f"give either transforms or policy = {self.policy!r}")]
        return []


class Optim(Section):
    """The optimizer and the learning-rate schedule."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    """The optimizer."""
    lr: Positive = 0.01
    """Learning rate; with one_cycle its highest value."""
    momentum: Fraction = 0.9
    """Momentum of SGD; the Adams use their own betas."""
    nesterov: bool = False
    """Nesterov's form of the momentum (SGD)."""
    weight_decay: NonNegative = 0.0
    """Weight decay: L2 for SGD and Adam, decoupled for AdamW."""
    schedule: Literal["constant", "step", "cosine", "linear", "one_cycle", "plateau"] = "constant"
    """How the learning rate changes during training."""
    step_size: Count | None = None
    """step: epochs between decays. plateau: epochs without better val_acc before one."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of each decay (step, plateau)."""
    warmup_epochs: NonNegative = 0.0
    """Epochs over which the learning rate rises linearly from near 0 at the start."""
    clip_norm: Positive | None = None
    """Clip the gradient to this L2 norm; default: no clipping."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check the schedule's and the optimizer's own keys."""
        wrong = []
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            wrong.append(("nesterov", 'needs name = "sgd" and a momentum above 0'))
        if self.schedule in ("step", "plateau") and self.step_size is None:
            wrong.append(("step_size", f'needed by schedule = "{self.schedule}"'))
        if self.schedule == "one_cycle" and self.warmup_epochs:
            wrong.append(("warmup_epochs", "one_cycle has a warm-up of its own"))
        return wrong


class Train(Section):
    """The training itself."""

    epochs: Count = 10
    """Passes over the training images."""
    batch_size: Count | Literal["auto"] = 128
    """Images in a step; "auto": the largest power of two that memory holds (CPU: 256)."""
    drop_last: bool = False
    """Leave out the last batch of an epoch if it is not full."""
    label_smoothing: Fraction = 0.0
    """Share of the target spread evenly over all classes."""
    early_stopping: Count | None = None
    """Stop after this many epochs without a better validation accuracy."""
    precision: Literal["fp32", "bf16", "fp16", "auto"] = "fp32"
    """Arithmetic of the forward pass; "auto" is bf16 on GPUs that have it, else fp32."""
    compile: bool = False
    """Compile the network with torch.compile; falls back with a message."""
    cuda_graphs: bool = False
    """Record the compiled network as CUDA graphs: faster where a GPU waits for launches."""
    tf32: bool = True
    """Let fp32 convolutions and products round their factors to TF32 on GPUs that have it."""
    accumulate: Count = 1
    """Batches whose gradients are added up before a step of the optimizer."""
    checkpoint_every: Count = 1
    """Epochs between writes of last.pt (a better epoch and the end write it too)."""
    deterministic: bool = False
    """Only deterministic algorithms, so that runs on a GPU repeat bit for bit."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check that graphs are made of a compiled network."""
        if self.cuda_graphs and not self.compile:
            return [("cuda_graphs", "records what compile = true makes; set it as well")]
        return []


class Tracking(Section):
    """Other trackers that get a copy of the curves."""

    tensorboard: bool | str = False
    """Event files for TensorBoard: true (in the run's folder), or a folder for all such runs."""
    mlflow: bool | str = False
    """A run in MLflow: true (runs/mlflow.db, or MLFLOW_TRACKING_URI), or the URI of a store."""

    def impossible(self) -> list[tuple[str, str]]:
        """Refuse addresses that can be none; MLflow itself gave up stores of plain files."""
        wrong = []
        if self.tensorboard == "":
            wrong.append(("tensorboard", "expected true, false or a folder"))
        if isinstance(self.mlflow, str) and not is_store(self.mlflow):
            expected = "true, sqlite:////data/mlflow.db or http://server:5000"
            wrong.append(("mlflow", f"{self.mlflow!r} is no store of MLflow, such as {expected}"))
        return wrong


def is_store(uri: str) -> bool:
    """Return whether MLflow may know such a store: a database, a server, Databricks."""
    return uri == "databricks" or bool(re.match(r"(?!file:)[a-z][a-z0-9+.-]*://.", uri))


class Experiment(Section):
    """A whole preset."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] = "experiment"
    """Name of the runs made from this preset."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of initial weights, order, augmentation and dropout."""
    notes: str = ""
    """Free text kept with the run."""
    tags: list[str] = Field(default_factory=list)
    """Words to find runs by."""
    data: Data
    """Which images."""
    model: Model
    """Which network."""
    freeze: Freeze = Freeze()
    """What does not train."""
    augment: Augment = Augment()
    """Random changes of the training images."""
    optim: Optim = Optim()
    """The optimizer."""
    train: Train = Train()
    """The training."""
    tracking: Tracking = Tracking()
    """Other trackers."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check sections against each other."""
        wrong = []
        if self.freeze.unfreeze_at and self.freeze.unfreeze_at > self.train.epochs:
            wrong.append(
                (
                    "freeze.unfreeze_at",
                    f"{self.freeze.unfreeze_at} is after the last epoch, "
                    f"train.epochs = {self.train.epochs}; expected at most that",
                )
            )
        if self.freeze.keep_statistics and self.model.weights == "none":
            wrong.append(("freeze.keep_statistics", 'there are none with model.weights = "none"'))
        if self.freeze.views and self.augment.policy == "none" and not self.augment.transforms:
            wrong.append(("freeze.views", "there is no augmentation to draw views from"))
        if self.optim.warmup_epochs >= self.train.epochs and self.optim.warmup_epochs:
            wrong.append(("optim.warmup_epochs", f"not below train.epochs = {self.train.epochs}"))
        return wrong
