"""A network and its optimizer: the arithmetic of a step."""

from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment
from cnn_core.freezing import unfreeze
from cnn_core.training.device import Precision, autocast
from cnn_core.training.loss import logits_and_loss
from cnn_core.training.optimizer import add_unfrozen, build_optimizer, set_lr
from cnn_core.training.schedule import PlateauState, lr_factor
from cnn_core.training.supply import Inputs, Supply


class Learner:
    """What a step changes: the weights, the optimizer's memory, the scale of fp16's gradients."""

    def __init__(
        self, config: Experiment, network: Network, device: torch.device, precision: Precision
    ) -> None:
        self._config, self._network = config, network
        self._device, self._precision = device, precision
        self.optimizer = build_optimizer(config.optim, network.module.parameters())
        self.plateau = PlateauState(config.optim)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def begin_step(self) -> None:
        """Forget the last step's gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def add_gradients(
        self, supply: Supply, inputs: Inputs, targets: Tensor, *, weight: float
    ) -> tuple[Tensor, Tensor]:
        """Add the gradients of a batch, whose mean loss has this ``weight`` in the step's.

        Return its logits (N, classes) and its mean loss (), on the device.
        """
        with autocast(self._device, self._precision):
            output = supply.output(inputs)
        logits, loss = logits_and_loss(
            self._network, output, targets, label_smoothing=self._config.train.label_smoothing
        )
        weighted = loss if weight == 1 else loss * weight
        self._scaler.scale(weighted).backward()  # type: ignore[no-untyped-call]
        return logits.detach(), loss.detach()

    def end_step(self, base_lr: float, *, global_step: int, steps_per_epoch: int) -> None:
        """Change the weights, at the schedule's share of the learning rate ``base_lr``."""
        optim = self._config.optim
        if optim.clip_norm is not None:
            self._scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self._network.module.parameters(), optim.clip_norm)
        factor = lr_factor(
            optim,
            step=global_step,
            steps_per_epoch=steps_per_epoch,
            epochs=self._config.train.epochs,
        )
        set_lr(self.optimizer, base_lr * factor * self.plateau.factor)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def unfreeze(self) -> None:
        """Let all layers train from now on."""
        add_unfrozen(self.optimizer, unfreeze(self._network), self._config.freeze.lr_scale)

    def frozen_names(self) -> set[str]:
        """Return the names of the parameters that no step changes."""
        named = self._network.module.named_parameters()
        return {name for name, parameter in named if not parameter.requires_grad}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep beside the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.plateau.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
