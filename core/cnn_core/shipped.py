"""Files that come with the program. A shell that completes their names waits for this module."""

from pathlib import Path

from cnn_core.errors import UserError


def shipped_presets(kind: str = "") -> dict[str, Path]:
    """Return the presets that come with the program, by name, sorted.

    ``kind`` names a folder among them: "sweeps", "studies".
    """
    package = Path(__file__).parent
    # An editable install has no packaged copy: there the repository's folder serves.
    folder = next(
        (path for path in (package / "presets", package.parents[1] / "presets") if path.is_dir()),
        None,
    )
    if folder is None:
        raise UserError(f"no presets in {package}: the installation is damaged, install it again")
    files = sorted((folder / kind).glob("*.toml"), key=lambda path: path.stem)
    return {path.stem: path for path in files}
