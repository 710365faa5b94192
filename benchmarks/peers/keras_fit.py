"""Keras 3 on torch, with the same network in its own layers."""

import os
from typing import Literal

from torch import Tensor

from peers.loaders import quickest_loader
from peers.task import Task, TrainRound

Layout = Literal["channels_first", "channels_last"]


def prepare(task: Task, *, layout: Layout) -> TrainRound:
    """Return a round that fits one epoch more; the small CNN only."""
    # Read when Keras is imported.
    os.environ |= {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": task.device.type}
    import keras

    if task.experiment.model.backbone != "cnn":
        raise SystemExit("Keras has the backbone cnn only; leave Keras out by --only")
    model, optim = _small_cnn(task, layout), task.experiment.optim
    _check_size(task, model.count_params())
    model.compile(
        optimizer=keras.optimizers.SGD(optim.lr, momentum=optim.momentum),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = quickest_loader(task, None if layout == "channels_first" else _channels_last)

    def train_round() -> int:
        model.fit(batches, epochs=1, shuffle=False, verbose=0)  # the loader shuffles
        return task.images

    return train_round


def _small_cnn(task: Task, layout: Layout) -> object:
    import keras
    from keras import layers

    from cnn_core.backbones.seed import CnnOptions

    side = task.image_size
    shape = (3, side, side) if layout == "channels_first" else (side, side, 3)
    widths = CnnOptions(**task.experiment.model.options).widths
    blocks = []
    for width in widths:
        blocks.append(
            layers.Conv2D(width, 3, padding="same", activation="relu", data_format=layout)
        )
        blocks.append(layers.MaxPooling2D(2, data_format=layout))
    return keras.Sequential(
        [
            keras.Input(shape),
            *blocks[:-1],
            layers.GlobalAveragePooling2D(data_format=layout),
            layers.Dense(len(task.data.classes)),
        ]
    )


def _check_size(task: Task, parameters: int) -> None:
    ours = sum(parameter.numel() for parameter in task.network().parameters())
    if parameters != ours:
        raise AssertionError(f"Keras' network has {parameters} parameters, not {ours}")


def _channels_last(image_CHW: Tensor) -> Tensor:
    return image_CHW.permute(1, 2, 0)
