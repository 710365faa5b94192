"""Where and in which arithmetic a run computes."""

import contextlib
import os
from collections.abc import Iterator
from typing import Literal

import torch

from cnn_core.errors import UserError, did_you_mean

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return the device for auto, cpu, cuda or cuda:N; UserError where it is not there."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind == "cuda" and (not number or number.isdecimal()):
        index = int(number or 0)
        if index < count:
            return torch.device("cuda", index)
        seen = f"only cuda:0 to cuda:{count - 1} are" if count else "no GPU is"
        raise UserError(f"device {name!r} is not there: {seen} visible to torch; try auto or cpu")
    raise UserError(f"unknown device {name!r}{did_you_mean(name, ['auto', 'cpu', 'cuda'])}")


def resolve_precision(
    name: Literal["fp32", "bf16", "fp16", "auto"], device: torch.device
) -> Precision:
    """Return the arithmetic to use; "auto" is bf16 on GPUs that have it (Ampere on), else fp32."""
    if name == "auto":
        ampere = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return "bf16" if ampere else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise UserError('train.precision = "fp16" needs a GPU; on a CPU use "bf16" or "fp32"')
    return name


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """Return the context of a forward pass in this arithmetic."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def device_name(device: torch.device) -> str:
    """Return the device with its product name, such as "cuda:0 (NVIDIA H100)"."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


@contextlib.contextmanager
def arithmetic(*, deterministic: bool, tf32: bool) -> Iterator[None]:
    """Use these kinds of algorithms inside; the settings are global to torch.

    ``deterministic``: only such algorithms. ``tf32``: convolutions and matrix products of fp32
    may round their factors to TensorFloat-32 (10 bits of mantissa) on GPUs that have it, Ampere
    and later; torch by itself does so for convolutions only. Nothing else is ever rounded.
    Unless they must be deterministic, the fastest convolution on a GPU is found by trial.
    """
    deterministic_before = torch.are_deterministic_algorithms_enabled()
    # The older of torch's two interfaces: once the newer one was used, the older raises, and
    # other libraries still ask it.
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    tf32_before = products.allow_tf32, convolutions.allow_tf32
    trial_before = convolutions.benchmark
    if deterministic:
        # cuBLAS reads this at its first use (CUDA documentation, "Results reproducibility").
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    products.allow_tf32 = convolutions.allow_tf32 = tf32
    convolutions.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic_before)
        products.allow_tf32, convolutions.allow_tf32 = tf32_before
        convolutions.benchmark = trial_before
