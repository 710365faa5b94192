"""filters, features: pictures of what a run has learnt to see."""

from PIL import Image


def test_filters_are_drawn(stored, tmp_path):
    out = tmp_path / "filters.png"
    done = stored("filters", "last", "--out", out, fresh=True)
    assert done.stdout == ""
    assert done.stderr.endswith(f"wrote {out}: block1.0, 32 filters of 3x3 for 3 channels\n")
    with Image.open(out) as picture:
        assert picture.width > picture.height


def test_features_are_drawn(stored, tmp_path):
    photo, out = tmp_path / "[bold]photo.png", tmp_path / "features.png"
    Image.new("RGB", (40, 30), "teal").save(photo)
    done = stored("features", "last", photo, "--grad-cam", "--out", out)
    assert done.stdout == ""
    assert done.stderr.startswith(f"{photo}: ")
    assert done.stderr.endswith(f"wrote {out}\n")
    with Image.open(out) as picture:
        assert picture.width == 16 * 60 + 6
