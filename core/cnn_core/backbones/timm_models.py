"""timm's models as ``timm:NAME`` or ``timm:NAME.TAG``; their parts as timm itself groups them."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cnn_core.backbones.catalog import Backbone, Facts, NoOptions, Normalization, Place, Weights
from cnn_core.backbones.structure import Network, Request, Stage, assembled
from cnn_core.backbones.timm_names import PREFIX
from cnn_core.errors import UserError, did_you_mean, first_line, printable

if TYPE_CHECKING:
    from torch import Tensor, nn

_NORMALIZATIONS: dict[Normalization, tuple[float, ...]] = {
    "imagenet": (0.485, 0.456, 0.406, 0.229, 0.224, 0.225),
    "half": (0.5,) * 6,
}


def timm_backbone(name: str) -> Backbone:
    """Return the backbone ``timm:NAME``; timm is imported when it is built."""
    model = name.removeprefix(PREFIX)
    return Backbone(
        name=name,
        help="a model of timm",
        options=NoOptions,
        build=functools.partial(build_timm, model),
        facts=functools.partial(_facts, model),
        weights={
            "imagenet": Weights(
                place=functools.partial(_place, model),
                tensors=functools.partial(_tensors, model),
                normalize=functools.partial(_normalize, model),
            )
        },
        extra="timm",
    )


def build_timm(model: str, _options: NoOptions, request: Request) -> Network:
    """Return the network of a timm model, its stages being timm's coarse groups of layers."""
    module = _created(model, request)
    heads = module.pretrained_cfg["classifier"]
    head = (heads,) if isinstance(heads, str) else tuple(heads or ())
    if not head:
        raise UserError(f"model.backbone: timm's {model} has no layer that classifies")
    return assembled(module, stages_of(module, head), head=head)


def _facts(model: str) -> Facts:
    from cnn_core.backbones.shapes import WithoutMemory

    config = _config(model)
    side = config.input_size[-1]
    with WithoutMemory():
        network = build_timm(model, NoOptions(), Request(image_size=side))
    return Facts(
        parameters=sum(p.numel() for p in network.module.parameters()),
        stages=tuple(stage.name for stage in network.stages),
        image_size=side,
        min_size=side if config.fixed_input_size else None,
    )


def _created(model: str, request: Request, *, pretrained: bool = False) -> Any:
    import timm

    arguments: dict[str, Any] = {}
    if request.dropout is not None:
        arguments["drop_rate"] = request.dropout
    config = _config(model)
    side = config.input_size[-1]
    if config.fixed_input_size and request.image_size != side:
        arguments["img_size"] = request.image_size
    if not config.num_classes:  # trained without classes: it gets a head that one can replace
        arguments["num_classes"] = 1
    try:
        return timm.create_model(model, pretrained=pretrained, **arguments)
    except (AssertionError, TypeError, ValueError) as error:
        if "img_size" in arguments:
            raise UserError(
                f"data.image_size: {request.image_size} does not suit timm's {model} "
                f"({printable(error)}); {side} does"
            ) from error
        raise


def _config(model: str) -> Any:
    """Return timm's description of the model's weights."""
    import timm

    architecture, _, tag = model.partition(".")
    known = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in known:
        near = did_you_mean(tag, known)
        raise UserError(f"model.backbone: timm's {architecture} has no weights {tag!r}{near}")
    return timm.get_pretrained_cfg(model)


def stages_of(module: nn.Module, head: tuple[str, ...]) -> list[Stage]:
    """Return timm's coarse groups of layers as stages: stem, blocks, and what is before the head.

    A module all of whose parameters belong to one group stands for them.
    """
    groups = _groups(module)
    members: dict[int, list[str]] = defaultdict(list)
    for group, prefix in _covering(module, "", groups, head):
        members[group].append(prefix)
    ordered = [tuple(members[group]) for group in sorted(members)]
    return [Stage(_title(number, modules), modules) for number, modules in enumerate(ordered)]


def _groups(module: nn.Module) -> dict[str, int]:
    """Return the group of each parameter: timm's, or the top modules in their order."""
    from timm.models import group_parameters

    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    try:
        matcher: Any = module.group_matcher(coarse=True)  # type: ignore[operator]
        groups: dict[str, int] = group_parameters(module, matcher, reverse=True)
    except (AssertionError, AttributeError):  # a few models are not grouped by timm
        groups = {}
    if groups.keys() >= set(names):
        return groups
    order = {name: number for number, (name, _) in enumerate(module.named_children())}
    return {name: order.get(name.partition(".")[0], 0) for name in names}


def _covering(
    part: nn.Module, prefix: str, groups: Mapping[str, int], head: tuple[str, ...]
) -> Iterable[tuple[int, str]]:
    """Yield the groups with the fewest names that cover all parameters but those of the head."""
    from torch import nn

    for name, _ in part.named_parameters(recurse=False):
        yield groups[prefix + name], prefix + name
    before = None
    for name, child in part.named_children():
        path = prefix + name
        inside = {groups[f"{path}.{inner}"] for inner, _ in child.named_parameters()}
        if path in head:
            continue
        if len(inside) == 1 and not _holds(head, path):
            before = inside.pop()
            yield before, path
        elif inside:
            yield from _covering(child, f"{path}.", groups, head)
        elif before is not None and isinstance(part, nn.Sequential):
            yield before, path  # activations and pools go with the layer that they follow


def _holds(names: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(f"{prefix}.") for name in names)


def _title(number: int, modules: tuple[str, ...]) -> str:
    if number == 0:
        return "stem"
    words = [name.split(".") for name in modules]
    shared = [step[0] for step in zip(*words, strict=False) if len(set(step)) == 1]
    return ".".join(shared) or modules[0]


def _place(model: str) -> Place:
    from huggingface_hub import try_to_load_from_cache
    from timm.models._hub import HF_SAFE_WEIGHTS_NAME

    found = try_to_load_from_cache(_config(model).hf_hub_id or "", HF_SAFE_WEIGHTS_NAME)
    return "cached" if isinstance(found, str) else "network"


def _tensors(model: str, request: Request) -> Mapping[str, Tensor]:
    """Return the weights as timm fits them to the images' side."""
    config = _config(model)
    try:
        if _place(model) == "network" and config.hf_hub_id:
            _ask_hub(config.hf_hub_id)
        state: Mapping[str, Tensor] = _created(model, request, pretrained=True).state_dict()
    except Exception as error:  # of the hub's client, its transport, or timm
        where = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else config.url
        raise UserError(
            f"model.weights: the weights of timm's {model} are not among the downloaded files and "
            f"could not be downloaded ({first_line(error)}); they come from {where}"
        ) from error
    return state


def _ask_hub(repository: str) -> None:
    """Raise at once where the hub cannot be reached: a download would try for most of a minute."""
    from huggingface_hub import HfApi

    HfApi().model_info(repository, timeout=10)


def _normalize(model: str) -> Normalization | None:
    config = _config(model)
    trained = (*config.mean, *config.std)
    return next((name for name, values in _NORMALIZATIONS.items() if values == trained), None)
