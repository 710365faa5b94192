"""What predictions say of single images, and which classes are taken for which."""

import csv
import io

import numpy as np
import pytest

from cnn_core.inspect.document import classes_as_csv, document
from cnn_core.inspect.scores import score
from cnn_core.inspect.verdicts import Confusion, confusions, main_confusions, verdicts
from cnn_core.training.predictions import Predictions

CLASSES = ("ant", "bee, wild", "cow")
LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 2, 1, 0, 2])
SECOND = np.array([1, 0, 0, 0, 2, 1, 1])


@pytest.fixture
def predictions() -> Predictions:
    logits_NC = np.zeros((7, 3), np.float32)
    logits_NC[np.arange(7), PREDICTED] = np.arange(2, 9)
    logits_NC[np.arange(7), SECOND] = 1
    return Predictions(logits_NC, LABELS, tuple(f"{i}.png" for i in range(7)), CLASSES)


def test_a_verdict_names_the_two_best_classes(predictions: Predictions) -> None:
    third, first = verdicts(predictions, [3, 1])
    assert (first.image, first.true, first.predicted) == ("1.png", "ant", "bee, wild")
    assert (third.image, third.predicted, third.second) == ("3.png", "cow", "ant")
    e = np.exp(np.array([1.0, 3.0, 0.0]))
    assert first.probability == pytest.approx(e[1] / e.sum())
    assert first.second_probability == pytest.approx(e[0] / e.sum())
    assert verdicts(predictions, []) == []


def test_of_a_single_class_there_is_no_second() -> None:
    alone = Predictions(np.ones((1, 1), np.float32), np.zeros(1, np.int64), ("a",), ("ant",))
    (verdict,) = verdicts(alone, [0])
    assert (verdict.probability, verdict.second, verdict.second_probability) == (1, None, None)


def test_confusions_are_counted_the_largest_first(predictions: Predictions) -> None:
    scores = score(predictions)
    assert confusions(scores) == [
        Confusion("ant", "bee, wild", 2, 0.5),
        Confusion("ant", "cow", 1, 0.25),
        Confusion("bee, wild", "ant", 1, 0.5),
    ]
    main = main_confusions(scores)
    assert {name: one.predicted for name, one in main.items()} == {
        "ant": "bee, wild",
        "bee, wild": "ant",
    }


def test_the_document_holds_everything(predictions: Predictions) -> None:
    scores = score(predictions)
    made = document(predictions, scores, 2)
    assert made["images"] == 7
    assert made["top1"] == pytest.approx(3 / 7)
    assert made["confusion"] == [[1, 2, 1], [1, 1, 0], [0, 0, 1]]
    assert [one["taken_for"] for one in made["classes"]] == [
        {"class": "bee, wild", "images": 2},
        {"class": "ant", "images": 1},
        None,
    ]
    assert [one["support"] for one in made["classes"]] == [4, 2, 1]
    assert sum(one["images"] for one in made["bins"]) == 7
    assert [one["image"] for one in made["mistakes"]] == ["5.png", "3.png"]
    assert len(made["least_certain"]) == 2
    assert made["macro"].keys() == made["weighted"].keys() == {"precision", "recall", "f1"}


def test_the_table_of_classes_is_read_back(predictions: Predictions) -> None:
    scores = score(predictions)
    rows = list(csv.DictReader(io.StringIO(classes_as_csv(scores))))
    assert [row["class"] for row in rows] == list(CLASSES)
    assert [float(row["recall"]) for row in rows] == [one.recall for one in scores.classes]
    assert [int(row["images"]) for row in rows] == [4, 2, 1]
    assert [row["taken_for"] for row in rows] == ["bee, wild", "ant", ""]


def test_of_very_many_classes_there_is_no_matrix() -> None:
    classes = tuple(f"c{label}" for label in range(1001))
    logits_NC = np.eye(1001, dtype=np.float32)[:2]
    of_many = Predictions(logits_NC, np.array([0, 2]), ("a", "b"), classes)
    made = document(of_many, score(of_many), 2)
    assert made["confusion"] is None
    assert made["classes"][2]["taken_for"] == {"class": "c1", "images": 1}
