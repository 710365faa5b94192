"""The memory that a training step takes, reckoned without computing."""

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from cnn_core.backbones.shapes import modes_kept
from cnn_core.backbones.structure import Network
from cnn_core.config import Optim
from cnn_core.freezing import train_mode
from cnn_core.memory_ledger import MemoryLedger

# Tensors that the optimizers keep for each parameter that trains.
_ADAM_STATE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class StepMemory:
    """Bytes that a training step in float32 needs.

    Not all parts are held at once: activations go as gradients come. ``peak_bytes`` is the most
    that is: parameters, optimizer, and what the forward and the backward pass hold together at
    their worst moment. Workspaces of kernels and gaps between tensors come on top:
    ``benchmarks/step_memory.py`` measures them.
    """

    batch_size: int
    """Images of the step: 2 where batch norm can't train on the 1 that was asked for."""
    parameters_bytes: int
    """Parameters and buffers."""
    gradients_bytes: int
    """Gradients of the parameters that train."""
    optimizer_bytes: int
    """What the optimizer keeps between steps."""
    images_bytes: int
    """The batch as uint8 and, until the first layer has it, as float32."""
    activations_bytes: int
    """What is kept between forward and backward, the images aside."""
    peak_bytes: int

    def as_dict(self) -> dict[str, int]:
        """Return a plain dict for JSON."""
        return dataclasses.asdict(self)


def step_memory(
    network: Network, *, image_size: int, batch_size: int, optim: Optim, accumulate: int = 1
) -> StepMemory:
    """Return the memory of a step on ``batch_size`` square images of ``image_size`` pixels.

    What is frozen is as ``apply_freezing`` left it. With ``accumulate`` above 1 the gradients of
    earlier batches are held as well. The step runs on the meta device; the network, wherever it
    is, stays untouched.
    """
    try:
        images, activations, moving = _run(network, image_size, batch_size, min(accumulate, 2))
    except ValueError:
        if batch_size > 1:
            raise
        # Of torch.nn.functional.batch_norm, which needs a second value.
        return step_memory(
            network, image_size=image_size, batch_size=2, optim=optim, accumulate=accumulate
        )
    module = network.module
    parameters = _bytes([*module.parameters(), *module.buffers()])
    gradients = _bytes(p for p in module.parameters() if p.requires_grad)
    copies = (1 if optim.momentum else 0) if optim.name == "sgd" else _ADAM_STATE
    optimizer = copies * gradients
    return StepMemory(
        batch_size=batch_size,
        parameters_bytes=parameters,
        gradients_bytes=gradients,
        optimizer_bytes=optimizer,
        images_bytes=images,
        activations_bytes=activations,
        peak_bytes=parameters + optimizer + moving,
    )


def _run(network: Network, image_size: int, count: int, passes: int) -> tuple[int, int, int]:
    """Return the bytes of the images, those kept for the backward pass, and the most at once."""
    module = network.module
    state = {
        name: _on_meta(tensor)
        for named in (module.named_parameters(), module.named_buffers())
        for name, tensor in named
    }
    labels = torch.zeros(count, dtype=torch.int64, device="meta")
    with modes_kept(module), torch.enable_grad(), MemoryLedger([*state.values(), labels]) as ledger:
        train_mode(network)
        for _ in range(passes):
            before = ledger.now
            pixels_NHWC = torch.empty(
                count, image_size, image_size, 3, dtype=torch.uint8, device="meta"
            )
            images_NCHW = pixels_NHWC.permute(0, 3, 1, 2).float()
            images = ledger.now - before
            output = functional_call(module, state, (images_NCHW,))
            outputs: tuple[Tensor, ...] = output if isinstance(output, tuple) else (output,)
            loss = torch.stack([F.cross_entropy(logits, labels) for logits in outputs]).sum()
            activations = ledger.now - before - images
            del images_NCHW  # unless the first layer keeps them for its own gradient
            loss.backward()  # type: ignore[no-untyped-call]
    return images, activations, ledger.peak


def _on_meta(tensor: Tensor) -> Tensor:
    """Return a leaf of this shape in the layout that training uses."""
    layout = torch.channels_last if tensor.dim() == 4 else torch.preserve_format
    twin = torch.empty_like(tensor, device="meta", memory_format=layout)
    return twin.requires_grad_(tensor.requires_grad)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Keep what the kernels of real devices keep, where torch would keep the whole matrix."""
    if query.dim() == 4 and not enable_gqa:
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        options = {"attn_mask": attn_mask, "scale": scale}
        result: tuple[Tensor, ...] = kernel(query, key, value, dropout_p, is_causal, **options)
    else:
        options = {"scale": scale, "enable_gqa": enable_gqa}
        result = torch.ops.aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, None, **options
        )
    return result[0]


# For tensors of the meta device alone, where nothing but shapes can differ.
_META = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
_META.impl("scaled_dot_product_attention", _attention, "AutogradMeta")  # type: ignore[no-untyped-call]


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
