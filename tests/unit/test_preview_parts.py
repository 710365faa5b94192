"""Sample images of the form for a new experiment."""

import numpy as np
import pytest

from cnn_core.augment.catalog import POLICIES, build_augmentation
from cnn_core.config import Augment
from cnn_tui.preview_parts import DRAWS, augmented

WHITE, BLACK = (np.full((32, 32, 3), level, dtype=np.uint8) for level in (255, 0))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("count", [1, 4])
def test_samples_of_every_policy(policy, count):
    rng = np.random.default_rng(0)
    pictures = [
        (f"class {i}", rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)) for i in range(count)
    ]
    augmentation = build_augmentation(Augment(policy=policy), count)
    samples = augmented(pictures, augmentation, drawing=3)
    assert [sample.label for sample in samples] == [label for label, _ in pictures]
    for sample in samples:
        side = len(sample.before_HWC)
        assert sample.after_NHWC.shape == (DRAWS, side, side, 3)


def test_samples_are_mixed_with_each_other():
    augmentation = build_augmentation(Augment(transforms=[{"name": "mixup"}]), 2)
    white, black = augmented([("a", WHITE), ("b", BLACK)], augmentation, drawing=0)
    assert np.array_equal(white.before_HWC, WHITE)
    assert white.after_NHWC.min() < 255
    assert black.after_NHWC.max() > 0
