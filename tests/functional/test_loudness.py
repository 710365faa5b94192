"""--quiet and --verbose: what is narrated, and that the data stays the same."""

import json
import re

import pytest

SHORT = (*("run", "digits", "--set", "train.epochs=1"), "--set", "data.limit=200")


def test_quiet_is_the_result_and_nothing_else(cli):
    done = cli(*SHORT, "-q")  # which needs no --headless
    assert done.stderr == ""
    assert done.stdout.startswith("status         finished\n")


@pytest.mark.parametrize("setting", ["optim.lr=1e30", "data.dataset=nothing"])
def test_quiet_tells_errors(cli, setting):
    rc = 1 if setting.startswith("optim") else 2
    done = cli(*SHORT, "--set", setting, "--quiet", rc=rc)
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) <= 2


def test_verbose_tells_times_and_places_beside_json(cli):
    done = cli(*SHORT, "--json", "--verbose")
    assert all(json.loads(line)["event"] for line in done.stdout.splitlines())
    lines = done.stderr.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    told = {line[9:] for line in lines}
    assert {
        f"settings: {cli.folder}/config/config.toml",
        f"runs: {cli.runs}",
        f"data: {cli.data}",
        f"cache: {cli.folder}/cache",
    } <= told


def test_one_of_the_two(cli):
    for command in (SHORT, ("queue",), ("resume", "last"), ("sweep", "rates")):
        assert cli(*command, "-q", "-v", rc=2).stderr == (
            "error: give one of --quiet and --verbose\n"
        )
