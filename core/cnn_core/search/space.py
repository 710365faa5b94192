"""Parameters as Optuna knows them, and the values that a trial gets."""

import itertools
import warnings
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler

from cnn_core.search.sweep_config import Parameter, Sweep

_SCALARS = (bool, int, float, str)


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """Return the values that a parameter may take; those of a list by their names if need be."""
    if parameter.values is not None:
        return CategoricalDistribution(_choices(parameter))
    assert parameter.low is not None
    assert parameter.high is not None
    low, high, step = parameter.low, parameter.high, parameter.step
    if parameter.type == "int":
        return IntDistribution(int(low), int(high), log=parameter.log, step=int(step or 1))
    return FloatDistribution(low, high, log=parameter.log, step=step)


def sampler_for(sweep: Sweep, index: int) -> BaseSampler:
    """Return what draws the values of trial ``index`` (from 0): the same ones whoever asks.

    Each trial has a sampler of its own: workers that share a seed would draw alike.
    """
    from cnn_core.training.plan import derived_seed

    seed = derived_seed(sweep.search.seed, index) % 2**32
    if sweep.search.sampler == "tpe":
        return TPESampler(seed=seed)
    random = RandomSampler(seed=seed)
    return random if sweep.search.sampler == "random" else _fixed(sweep, index, random)


def suggest(trial: optuna.Trial, sweep: Sweep) -> dict[str, Any]:
    """Return the values of a trial's keys; drawn now unless they were before."""
    settings: dict[str, Any] = dict(sweep.set)
    for key, parameter in sweep.parameters.items():
        drawn = trial._suggest(key, distribution_of(parameter))
        if parameter.values is not None:
            drawn = parameter.values[_choices(parameter).index(drawn)]
        settings[key] = drawn
    return settings


def _choices(parameter: Parameter) -> list[Any]:
    plain = all(isinstance(value, _SCALARS) for value in parameter.values or ())
    return list(parameter.values or ()) if plain and not parameter.labels else parameter.names()


def _fixed(sweep: Sweep, index: int, base: BaseSampler) -> BaseSampler:
    """Return a sampler that gives one point of the grid; the last key changes fastest."""
    points = itertools.product(
        *(
            _choices(parameter) if parameter.values is not None else parameter.grid() or ()
            for parameter in sweep.parameters.values()
        )
    )
    point = next(itertools.islice(points, index, None))
    with warnings.catch_warnings():  # its interface may change: the users can't help it
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PartialFixedSampler(dict(zip(sweep.parameters, point, strict=True)), base)
