"""The real command over empty folders, over stored runs, and over a slow training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import Cli, environment
from zygote import Zygote


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """What commands are forked from."""
    made = Zygote(environment(tmp_path_factory.mktemp("zygote")))
    yield made
    made.end()


@pytest.fixture
def cli(tmp_path: Path, zygote: Zygote) -> Iterator[Cli]:
    """The command over empty folders."""
    made = Cli(tmp_path / "cli", zygote)
    yield made
    made.end()


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Cli:
    """The command over two finished runs of two epochs, for commands that only look."""
    made = Cli(tmp_path_factory.mktemp("stored"), zygote)
    two = ("--headless", "--set", "train.epochs=2")
    made.first = made("run", "digits", *two, "--name", "first", "--tag", "one")
    made("run", "digits", *two, "--name", "second", "--set", "optim.lr=0.001")
    return made


@pytest.fixture(scope="session")
def slow() -> tuple[str, ...]:
    """A training slow enough to be caught in the middle."""
    settings = ("train.epochs=6", "train.batch_size=16", "data.limit=800")
    return ("run", "digits", *(part for item in settings for part in ("--set", item)))


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, zygote: Zygote, slow: tuple[str, ...]
) -> Path:
    """The folder of the slow training, run to its end in one go, by a fresh process."""
    made = Cli(tmp_path_factory.mktemp("undisturbed"), zygote)
    made(*slow, fresh=True)
    return made.only_run()
