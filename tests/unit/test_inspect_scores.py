"""Figures of predictions, against scikit-learn's."""

import warnings

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from cnn_core.errors import UserError
from cnn_core.inspect.scores import (
    calibration,
    least_certain,
    most_confident_mistakes,
    probabilities,
    score,
)
from cnn_core.training.predictions import Predictions


def predictions(images: int, classes: int, *, absent: tuple[int, ...] = ()) -> Predictions:
    """Return random logits that lean on the labels; ``absent`` classes have no image."""
    rng = np.random.default_rng((images, classes))
    present = np.setdiff1d(np.arange(classes), absent)
    labels = rng.choice(present, images)
    logits_NC = rng.normal(size=(images, classes)).astype(np.float32) * 2
    logits_NC[np.arange(images), labels] += 1.5
    names = tuple(f"{number}.png" for number in range(images))
    return Predictions(logits_NC, labels, names, tuple(f"class {i}" for i in range(classes)))


@pytest.mark.parametrize(
    ("images", "classes", "absent"),
    [(500, 2, ()), (500, 5, ()), (700, 10, (3,)), (3000, 257, (0, 256)), (1, 3, (0, 1))],
)
def test_figures_are_scikit_learns(images: int, classes: int, absent: tuple[int, ...]) -> None:
    given = predictions(images, classes, absent=absent)
    found, labels, predicted = score(given), given.labels, given.logits.argmax(1)
    every = np.arange(classes)
    close = {"rel": 1e-12, "abs": 1e-12}
    assert found.images == images
    assert found.top1 == metrics.accuracy_score(labels, predicted)
    shares = probabilities(given.logits)
    assert found.loss == pytest.approx(metrics.log_loss(labels, shares, labels=every), **close)
    if classes > 5:
        top5 = metrics.top_k_accuracy_score(labels, given.logits, k=5, labels=every)
        assert found.top5 == pytest.approx(top5, **close)
    else:
        assert found.top5 is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and have no image
        balanced = metrics.balanced_accuracy_score(labels, predicted)
    assert found.balanced_accuracy == pytest.approx(balanced, **close)
    report = metrics.classification_report(
        labels, predicted, labels=every, output_dict=True, zero_division=0,
        target_names=list(given.classes),
    )  # fmt: skip
    for one, key in [
        *((one, one.name) for one in found.classes),
        (found.macro, "macro avg"),
        (found.weighted, "weighted avg"),
    ]:
        wanted = report[key]
        assert one.precision == pytest.approx(wanted["precision"], **close)
        assert one.recall == pytest.approx(wanted["recall"], **close)
        assert one.f1 == pytest.approx(wanted["f1-score"], **close)
        assert one.support == wanted["support"]
    assert (found.confusion == metrics.confusion_matrix(labels, predicted, labels=every)).all()


def test_calibration_is_scikit_learns() -> None:
    given = predictions(2000, 10)
    bins = calibration(given.logits, given.labels)
    confidence = probabilities(given.logits).max(1)
    right = given.logits.argmax(1) == given.labels
    accuracies, confidences = calibration_curve(right, confidence, n_bins=15)
    filled = [one for one in bins if one.images]
    assert [one.accuracy for one in filled] == pytest.approx(accuracies.tolist(), rel=1e-12)
    assert [one.confidence for one in filled] == pytest.approx(confidences.tolist(), rel=1e-12)
    assert sum(one.images for one in bins) == 2000
    # Equation 3 of Guo et al., image by image.
    total = 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:], strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert score(given).ece == pytest.approx(total, rel=1e-12)


def test_mistakes_come_by_confidence_and_doubts_by_margin() -> None:
    given = predictions(300, 6)
    shares, predicted = probabilities(given.logits), given.logits.argmax(1)
    wrong = [i for i in range(300) if predicted[i] != given.labels[i]]
    wanted = sorted(wrong, key=lambda i: -shares[i].max())
    assert most_confident_mistakes(given, 10) == wanted[:10]
    assert most_confident_mistakes(given, 1000) == wanted
    margin = [np.subtract(*np.sort(row)[-1:-3:-1]) for row in shares]
    assert least_certain(given, 10) == sorted(range(300), key=margin.__getitem__)[:10]


def test_a_network_without_mistakes_has_none() -> None:
    given = predictions(20, 3)
    given.logits[np.arange(20), given.labels] = 100
    assert most_confident_mistakes(given, 5) == []
    assert score(given).top1 == 1
    assert score(given).ece == pytest.approx(0, abs=1e-9)


def test_logits_that_are_no_numbers_are_told() -> None:
    given = predictions(20, 3)
    given.logits[3, 1] = np.nan
    given.logits[7] = np.inf
    with pytest.raises(UserError, match="2 of 20 images are no numbers"):
        score(given)


def test_no_images_are_told() -> None:
    nothing = Predictions(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), (), ("a", "b", "c"))
    with pytest.raises(UserError, match="no images"):
        score(nothing)
    assert least_certain(nothing, 3) == most_confident_mistakes(nothing, 3) == []
