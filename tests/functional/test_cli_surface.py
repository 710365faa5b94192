"""surface: gradient descent on functions of two variables."""

import math

import pytest
from PIL import Image

from cnn_core.surfaces.functions import SURFACES
from cnn_core.surfaces.surface import METHODS


def test_they_are_listed(cli):
    lines = cli("surface").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["surface", *SURFACES]
    (beale,) = [one for one in cli.json("surface") if one["name"] == "beale"]
    assert beale["minima"] == [[3.0, 0.5]]
    assert beale["source"].startswith("E. M. L. Beale")


def test_the_methods_are_compared_in_a_table(cli):
    done = cli("surface", "Booth")
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["method", "lr", "steps"]
    assert [row.split()[0] for row in rows] == list(METHODS)
    assert all(row.endswith("gradient small") for row in rows)
    assert "▀" not in done.stdout  # no picture in a pipe


def test_the_document_has_whole_paths(cli):
    found = cli.json("surface", "beale", "--method", "momentum", "--method", "LBFGS", "--steps", 7)
    assert found["surface"]["name"] == "beale"
    assert (found["grid"], found["gradient"], found["epsilon"]) == (None, "autograd", None)
    momentum, lbfgs = found["descents"]
    assert (momentum["method"], lbfgs["method"]) == ("momentum", "lbfgs")
    assert momentum["options"] == {"momentum": 0.9}
    assert (momentum["steps"], momentum["ended"]) == (7, "steps run out")
    assert len(momentum["path"]) == 8
    first = momentum["path"][0]
    assert (first["x"], first["y"], first["value"]) == (1.0, 1.0, 14.203125)
    end = lbfgs["path"][-1]
    assert lbfgs["to_minimum"] == pytest.approx(math.hypot(end["x"] - 3, end["y"] - 0.5))


def test_rates_beta_and_options_are_heeded(cli):
    found = cli.json(
        *("surface", "sphere", "--method", "plain", "--method", "nesterov", "--method", "rmsprop"),
        *("--lr", "0.2", "--lr", "rmsprop=0.05", "--beta", "0.5", "--option", "rmsprop.alpha=0.8"),
        *("--start", "-1", "-2", "--steps", "1", "--gradient-norm", "0"),
    )
    plain, nesterov, rmsprop = found["descents"]
    assert found["start"] == [-1, -2]
    assert plain["path"][1]["x"] == pytest.approx(-1 + 0.2 * 2)
    assert nesterov["path"][1]["x"] == pytest.approx(-1 + 0.2 * 2 * 1.5)
    assert rmsprop["options"] == {"alpha": 0.8}
    assert rmsprop["path"][1]["x"] == pytest.approx(-1 + 0.05 / math.sqrt(0.2), rel=1e-3)


def test_an_image_is_descended_in_pixels(cli):
    found = cli.json(
        *("surface", "schaffer2", "--grid", "256", "--lr", "10", "--method", "nesterov"),
        *("--steps", "5", "--epsilon", "0.5"),
    )
    assert (found["grid"], found["gradient"], found["epsilon"]) == (256, "numeric", 0.5)
    assert found["start"] == pytest.approx([-5, 0])
    assert found["descents"][0]["lr"] == 10


@pytest.mark.long
def test_pictures_are_written(cli, tmp_path):
    png, gif = tmp_path / "x.png", tmp_path / "x.gif"
    done = cli("surface", "himmelblau", "--steps", "20", "--png", png, "--gif", gif)
    assert done.stderr.splitlines()[-2:] == [f"wrote {png}", f"wrote {gif}"]
    with Image.open(png) as picture:
        assert picture.format == "PNG"
    with Image.open(gif) as picture:
        assert picture.format == "GIF"
        assert 10 < picture.n_frames <= 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bael"], "unknown surface 'bael'; did you mean 'beale'?"),
        (["beale", "--method", "mometum"], "unknown method 'mometum'; did you mean 'momentum'?"),
        (["beale", "--method", "\x1b[31m"], "unknown method '\\x1b[31m'; "),
        (
            ["beale", "--lr", "fast"],
            "learning rate fast: expected RATE or METHOD=RATE, such as 0.01",
        ),
        (
            ["beale", "--lr", "plan=1"],
            "learning rate: no method 'plan' is asked for; did you mean 'plain'?",
        ),
        (["beale", "--lr", "-1"], "plain: Invalid learning rate: -1.0"),
        (["beale", "--option", "x=1"], "option x=1: expected METHOD.KEY=VALUE"),
        (["beale", "--option", "adam.x=1"], "adam: unknown option 'x'; expected one of: "),
        (["beale", "--gradient", "exact"], "--gradient: unknown 'exact'; expected one of: "),
        (["beale", "--gradient-norm", "-1"], "--gradient-norm -1: expected 0 or more"),
        (["beale", "--grid", "1"], "a grid of 1 pixels: expected 2 to 4096"),
        (["beale", "--epsilon", "0"], "epsilon 0: expected a number above 0"),
        (["beale", "--start", "9", "9"], "start 9, 9: outside the domain of beale; "),
        (["beale", "--png", "x.gif"], "x.gif: expected a name that ends in .png"),
        (["beale", "--gif", "no/x.gif"], "no: no such folder"),
    ],
)
def test_mistakes_are_one_sentence(cli, arguments, message):
    done = cli("surface", *arguments, rc=2)
    assert done.stdout == ""
    told = " ".join(done.stderr.split())
    assert told.startswith(f"error: {message}")
