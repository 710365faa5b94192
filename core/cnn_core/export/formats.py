"""What can be written, and where; nothing here imports torch."""

from pathlib import Path
from typing import Literal

from cnn_core.errors import UserError, printable
from cnn_core.extras import require

FileFormat = Literal["onnx", "safetensors", "torchscript"]

_SUFFIXES: dict[FileFormat, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "safetensors": (".safetensors",),
    "torchscript": (".pt", ".ts", ".torchscript"),
}


def check_target(path: Path, file_format: FileFormat) -> None:
    """Raise UserError where a file of this format can't be written there, or a package lacks."""
    if file_format == "onnx":
        require("--format onnx", "onnx", "onnx", "onnxruntime", "onnxscript")
    suffixes = _SUFFIXES[file_format]
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{printable(path)}: expected a name that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise UserError(f"{printable(path.parent)}: no such folder")
