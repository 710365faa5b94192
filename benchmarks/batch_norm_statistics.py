"""Dropout and batch norm: ``python benchmarks/batch_norm_statistics.py RUN_FOLDER...``.

Batch norm notes the statistics of activations that dropout has thinned out, and meets whole ones
in evaluation, whose variance is another (Li et al. 2019, "Understanding the Disharmony between
Dropout and Batch Normalization by Variance Shift", CVPR, pages 2682 to 2690). Printed is how much
of a run's accuracy that costs: of its last weights on the test images, with the statistics as
they are and taken again from the training images without dropout.
"""

import argparse
from pathlib import Path

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from cnn_core.inspect.evaluation import PartImages, part_images
from cnn_core.inspect.trained import Trained, load_trained
from cnn_core.locations import cache_dir, default_data_dir
from cnn_core.training.plan import chunks
from cnn_tui.working import finish
from measuring import machine, table

_BATCH = 256


def main() -> None:
    """Print a table: a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    arguments = parser.parse_args()
    rows = [compared(run_dir, arguments.data_dir) for run_dir in arguments.runs]
    print(machine())
    print(table(("test accuracy in %", "as they are", "taken again"), rows))


def compared(run_dir: Path, data_dir: Path) -> tuple[str, str, str]:
    """Return the run's name and its accuracies in percent."""
    trained = load_trained(run_dir, "last")
    train, test = (
        finish(part_images(run_dir, part, data_dir=data_dir, cache_dir=cache_dir()))
        for part in ("train", "test")
    )
    before = accuracy(trained, test)
    take_statistics(trained, train)
    return run_dir.name, f"{before:.2f}", f"{accuracy(trained, test):.2f}"


def accuracy(trained: Trained, images: PartImages) -> float:
    """Return how many percent of the images are classified rightly."""
    pixels = images.data.images_NHWC
    logits = torch.from_numpy(finish(trained.logits(pixels, images.positions, "evaluating")))
    labels = torch.from_numpy(images.data.labels[images.positions])
    return 100 * (logits.argmax(1) == labels).double().mean().item()


def take_statistics(trained: Trained, images: PartImages) -> None:
    """Let batch norms note the means over batches of these images, all else being in eval mode."""
    for layer in trained.network.module.modules():
        if isinstance(layer, _BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None  # of all batches alike
            layer.train()
    order = torch.randperm(len(images.positions), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for part in chunks(order, _BATCH):
            trained.network.module(trained.inputs(images.data.images_NHWC[images.positions[part]]))
    trained.network.module.eval()


if __name__ == "__main__":
    main()
