"""The images on which a network fails, and those it is least certain of, as one picture."""

from collections.abc import Mapping

from cnn_core.datasets.index import Images
from cnn_core.errors import UserError, printable
from cnn_core.inspect.evaluation import PartImages
from cnn_core.inspect.scores import least_certain, most_confident_mistakes
from cnn_core.inspect.sheet import Tile, sheet, stacked
from cnn_core.inspect.verdicts import Verdict, verdicts
from cnn_core.training.predictions import Predictions

_COLUMNS, _SIDE = 5, 160


def mistake_sheet(predictions: Predictions, images: PartImages, count: int) -> Images:
    """Return ``count`` of the surest mistakes, and as many of the least certain answers below.

    Raises UserError where there are none to show, or the images are no longer there.
    """
    place = dict(zip(images.names, images.positions.tolist(), strict=True))
    sheets = [
        sheet(
            [
                _tile(verdict, images.data.images_NHWC, place)
                for verdict in verdicts(predictions, rows)
            ],
            columns=_COLUMNS,
            side=_SIDE,
            title=title,
        )
        for title, rows in (
            ("Surest mistakes", most_confident_mistakes(predictions, count)),
            ("Least certain", least_certain(predictions, count)),
        )
        if rows
    ]
    if not sheets:
        raise UserError("there is no mistake and no uncertain image to draw")
    return stacked(sheets)


def _tile(verdict: Verdict, images_NHWC: Images, place: Mapping[str, int]) -> Tile:
    if verdict.image not in place:
        raise UserError(f"image {printable(verdict.image)}: the data set no longer has it")
    lines = [f"is {verdict.true}", f"{verdict.probability:.1%} {verdict.predicted}"]
    if verdict.second is not None:
        lines.append(f"{verdict.second_probability:.1%} {verdict.second}")
    return Tile(images_NHWC[place[verdict.image]], (*lines, verdict.image.rsplit("/", 1)[-1]))
