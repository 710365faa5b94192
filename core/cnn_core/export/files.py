"""A run's network as the bytes of a file, each compared with the network it came from."""

import dataclasses
import io
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnn_core.datasets.index import Images
from cnn_core.errors import CnnTuiError, UserError, first_line, printable
from cnn_core.export.formats import FileFormat, check_target
from cnn_core.export.network import (
    INPUT,
    OUTPUT,
    Comparison,
    Logits,
    Normalising,
    Samples,
    compare,
    description,
    example,
    samples,
)
from cnn_core.files import write_atomically
from cnn_core.inspect.trained import Trained, load_trained
from cnn_core.progress import Progress, Remark
from cnn_core.training.events import CheckpointName

OPSET = 18


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was written, its size in bytes, and how it was found to be the same.

    ``epoch`` is how many epochs its weights had trained.
    ``opset`` is ONNX's version of operators, None for other formats.
    """

    path: Path
    format: FileFormat
    bytes: int
    epoch: int
    comparison: Comparison
    opset: int | None


def export_network(
    run_dir: Path,
    file_format: FileFormat,
    path: Path,
    checkpoint: CheckpointName = "best",
    *,
    data_dir: Path,
    cache_dir: Path,
) -> Generator[Progress | Remark, None, ExportedFile]:
    """Write the network of a run's checkpoint, whole or not at all; return what was written.

    Its weights are float32 whatever it was trained in. Raises UserError where it can't be had or
    written, CnnTuiError where the file would not be the same network.
    """
    check_target(path, file_format)
    trained = load_trained(run_dir, checkpoint, device="cpu")
    yield from _told(trained, file_format)
    found = yield from samples(trained, data_dir=data_dir, cache_dir=cache_dir)
    yield Progress(f"writing {file_format}", 0, 0)
    content, comparison = _MAKERS[file_format](trained, found)
    try:
        write_atomically(path, lambda file: file.write(content))
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be written: {error.strerror}") from error
    opset = OPSET if file_format == "onnx" else None
    return ExportedFile(path, file_format, len(content), trained.epoch, comparison, opset)


def _told(trained: Trained, file_format: FileFormat) -> Generator[Remark, None, None]:
    """Say in what the file differs from what the run did."""
    views, precision = trained.config.augment.test_views, trained.config.train.precision
    if views != "none":
        yield Remark(
            f"the run's test took the mean logits of views (test_views = {views!r}); "
            "the file holds the plain network, whose accuracy may be lower"
        )
    if precision != "fp32":
        yield Remark(f"trained with precision = {precision!r}; the file is float32")
    if file_format == "torchscript":
        yield Remark("PyTorch calls TorchScript deprecated: --format onnx is the one to last")


def _safetensors(trained: Trained, found: Samples) -> tuple[bytes, Comparison]:
    """Return the state dict, readable as ``model.weights`` too, its description as metadata."""
    import safetensors.torch

    module = trained.network.module
    tensors = {name: value.contiguous() for name, value in module.state_dict().items()}
    content = safetensors.torch.save(tensors, description(trained, normalised=False))
    back = safetensors.torch.load(content)
    module.load_state_dict(back)

    def exported(images_NCHW: Images) -> Logits:
        with torch.inference_mode():
            return _numpy(module(trained.inputs(images_NCHW.transpose(0, 2, 3, 1))))

    return content, compare(trained, found, exported)


def _torchscript(trained: Trained, found: Samples) -> tuple[bytes, Comparison]:
    """Return a traced network with its normalisation; each line of the description is a file."""
    file = io.BytesIO()
    with warnings.catch_warnings():  # of its being deprecated, which was told in our words
        warnings.simplefilter("ignore")
        traced = _made("torchscript", lambda: _traced(trained))
        extra = {
            name: text.encode() for name, text in description(trained, normalised=True).items()
        }
        torch.jit.save(traced, file, _extra_files=extra)
        file.seek(0)
        loaded = torch.jit.load(file)  # type: ignore[no-untyped-call]

    def exported(images_NCHW: Images) -> Logits:
        with torch.inference_mode():
            return _numpy(loaded(torch.from_numpy(images_NCHW)))

    return file.getvalue(), compare(trained, found, exported)


def _traced(trained: Trained) -> Any:
    with torch.inference_mode():
        return torch.jit.trace(  # type: ignore[no-untyped-call]
            Normalising(trained).eval(), example(trained), check_trace=False
        )


def _onnx(trained: Trained, found: Samples) -> tuple[bytes, Comparison]:
    """Return a checked model with its normalisation and a free number of images."""
    import onnx
    import onnxruntime

    program = _made("onnx", lambda: _exported_program(trained))
    model = program.model_proto
    onnx.helper.set_model_props(model, description(trained, normalised=True))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def exported(images_NCHW: Images) -> Logits:
        return np.asarray(session.run([OUTPUT], {INPUT: images_NCHW})[0], np.float32)

    return content, compare(trained, found, exported)


def _exported_program(trained: Trained) -> Any:
    return torch.onnx.export(
        Normalising(trained).eval(),
        (example(trained),),
        dynamo=True,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        verbose=False,
    )


def _made(file_format: str, make: Callable[[], Any]) -> Any:
    """Return what an exporter makes, or raise CnnTuiError with its reason."""
    try:
        return make()
    except Exception as error:  # exporters raise whatever an operator of theirs meets
        raise CnnTuiError(
            f"this network can't be written as {file_format}: {first_line(error)}"
        ) from error


def _numpy(logits: torch.Tensor) -> Logits:
    return np.asarray(logits.numpy(), np.float32)


_MAKERS: dict[FileFormat, Callable[[Trained, Samples], tuple[bytes, Comparison]]] = {
    "onnx": _onnx,
    "safetensors": _safetensors,
    "torchscript": _torchscript,
}
