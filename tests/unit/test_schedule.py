"""The learning rate against torch's own schedulers."""

import pytest
import torch

from cnn_core.config import Optim
from cnn_core.training.schedule import PlateauState, lr_factor

EPOCHS, STEPS = 12, 7


def ours(optim: Optim) -> list[float]:
    return [
        optim.lr * lr_factor(optim, step=step, steps_per_epoch=STEPS, epochs=EPOCHS)
        for step in range(EPOCHS * STEPS)
    ]


def torchs(make, *, lr: float, per_step: bool) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if per_step:
                scheduler.step()
        if not per_step:
            scheduler.step()
    return rates


def test_constant():
    assert set(ours(Optim(lr=0.3))) == {0.3}


def test_step_equals_torchs():
    optim = Optim(lr=0.3, schedule="step", step_size=5, gamma=0.1)
    reference = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, 5, 0.1), lr=0.3, per_step=False)
    assert ours(optim) == pytest.approx(reference)


def test_cosine_equals_torchs_by_step():
    optim = Optim(lr=0.3, schedule="cosine")
    reference = torchs(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS),
        lr=0.3,
        per_step=True,
    )
    assert ours(optim) == pytest.approx(reference)


def test_linear_equals_torchs_by_step():
    optim = Optim(lr=0.3, schedule="linear")
    reference = torchs(
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 1 - step / (EPOCHS * STEPS)),
        lr=0.3,
        per_step=True,
    )
    assert ours(optim) == pytest.approx(reference)


def test_linear_falls_straight_from_the_warmup_to_nothing():
    rates = ours(Optim(lr=1.0, schedule="linear", warmup_epochs=2.0))
    assert rates[:14] == pytest.approx([(step + 1) / 14 for step in range(14)])
    falling = EPOCHS * STEPS - 14
    assert rates[14:] == pytest.approx([1 - step / falling for step in range(falling)])


def test_one_cycle_equals_torchs():
    optim = Optim(lr=0.3, schedule="one_cycle")
    reference = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.3, total_steps=EPOCHS * STEPS, cycle_momentum=False
        ),
        lr=0.3,
        per_step=True,
    )
    assert ours(optim)[:-1] == pytest.approx(reference[:-1])


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_one_cycle_of_few_steps_stays_within_its_bounds(epochs):
    optim = Optim(schedule="one_cycle")
    factors = [
        lr_factor(optim, step=step, steps_per_epoch=1, epochs=epochs) for step in range(epochs)
    ]
    assert all(0 < factor <= 1 for factor in factors)


def test_warmup_rises_to_the_schedule():
    rates = ours(Optim(lr=1.0, schedule="cosine", warmup_epochs=2.0))
    assert rates[:14] == pytest.approx([(step + 1) / 14 for step in range(14)])
    assert rates[14] == pytest.approx(1.0)
    assert rates == [*sorted(rates[:14]), *sorted(rates[14:], reverse=True)]


def test_plateau_equals_torchs():
    accuracies = [0.1, 0.2, 0.2, 0.2, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    state = PlateauState(Optim(schedule="plateau", step_size=2, gamma=0.5))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=1, threshold=0
    )
    for accuracy in accuracies:
        state.epoch_done(accuracy)
        reference.step(accuracy)
        assert state.factor == optimizer.param_groups[0]["lr"]
    assert state.factor < 1


def test_plateau_goes_on_from_its_state():
    optim = Optim(schedule="plateau", step_size=2, gamma=0.5)
    straight, first, second = (PlateauState(optim) for _ in range(3))
    accuracies = [0.3, 0.2, 0.2, 0.2, 0.4, 0.1, 0.1]
    for accuracy in accuracies:
        straight.epoch_done(accuracy)
    for accuracy in accuracies[:3]:
        first.epoch_done(accuracy)
    second.load_state_dict(first.state_dict())
    for accuracy in accuracies[3:]:
        second.epoch_done(accuracy)
    assert second.state_dict() == straight.state_dict()
