"""Write docs/sweeps.md from the models: ``make pages``."""

import sys

from presets_reference import sections, table

from cnn_core.search.sweep_config import Parameter, Sweep

HEAD = """\
# Sweeps

<!-- Made by docs/sweeps_reference.py from the models; edit the text or the docstrings there. -->

A sweep trains a preset many times with other values of some of its keys, and tells which served
best. It is a TOML file:

    name = "digits-rates"
    preset = "digits"
    trials = 12

    [set]                                # the same in all trials
    "train.epochs" = 10

    [search]
    sampler = "random"                   # or "grid", "tpe"
    pruner = "median"                    # ends hopeless trials early

    [parameters]
    "optim.lr" = {type = "float", low = 1e-3, high = 1.0, log = true}
    "optim.momentum" = {values = [0.5, 0.9, 0.99]}
    "model.options.widths" = {values = [[8, 16], [16, 32, 64]], labels = ["small", "large"]}
    seed = {values = [0, 1, 2]}

and these are its commands:

    cnn-tui sweep digits-rates.toml --workers 2    begin it
    cnn-tui sweep digits-rates                     go on with it: after Ctrl-C, after a crash
    cnn-tui sweep digits-rates --trials 40         extend it
    cnn-tui sweep digits-rates --stop              stop it with checkpoints, wherever it runs
    cnn-tui sweep digits-rates --detach            in the background
    cnn-tui sweeps                                 all that have begun
    cnn-tui trials digits-rates                    its trials, the best one, which keys matter

Everything is checked before anything is written: the file, and the preset with the first and the
last values of each key.

## What happens

- **Each trial is an ordinary run,** beside all others: named after the sweep and its number, with
  the sweep's name as a tag (`cnn-tui runs --filter '"digits-rates" in tags'`). It can be shown,
  compared, evaluated and reported like any.
- **Workers take trials** until none is left. On one machine there is one for each GPU, or one for
  each two cores; `--launcher ray` and `slurm` start them elsewhere. A worker trains its trials in
  one process: the second one starts without loading anything, decoding an image or running a
  frozen layer, as pixels and features are in the cache (see [performance.md](performance.md)).
- **Any number of commands share a sweep,** on any number of machines that see the folder of runs:
  each trial is taken by one worker. A command that has nothing left to do waits for the others, and
  takes up what they leave.
- **Trial N has the same values whoever takes it,** and whatever happened before: each has a seed
  of its own, made of `search.seed` and N. (TPE looks at the trials that have ended, which depends
  on time where several are trained at once.)
- **A worker that dies** is replaced; its trial goes on from its last checkpoint. A trial whose
  process dies three times without an epoch in between has failed.
- **A failed trial** is tried once more, in the same run, by the next `cnn-tui sweep`. After three
  failures in a row all workers stop: the fault is not in the values.
- **A trial that diverges** counts as a bad one (Optuna's state PRUNED), so that TPE stays away.
- **A trial that you stop** (`cnn-tui stop RUN`) has ended as it is; a sweep that you stop goes on.
- **A pruned trial** is a stopped run with a checkpoint: `cnn-tui resume` trains it to its end all
  the same, outside of the sweep.

## Where it is kept

`runs/sweeps/<name>/` holds `sweep.toml` and `preset.toml` (what was asked for, to repeat it),
`study.journal` (Optuna's journal of the study), `log.txt` (what workers said) and `claims/` (a lock
for each trial; it goes with the process that holds it). A sweep that has begun can be extended and
launched otherwise; for other values it needs another name.

The journal works on network disks. `search.storage` names any other of Optuna's storages, such as
`postgresql://user:password@host/studies`: then machines with folders of runs of their own share one
study as well. (A trial that is left is gone on with where its run lies.) optuna-dashboard opens
either: `optuna-dashboard runs/sweeps/digits-rates/study.journal`.

The share of the metric's variance that each key explains is Optuna's: fANOVA of a random forest
(Hutter, Hoos and Leyton-Brown 2014).

## Keys
"""

RANGES = """
### A parameter

`[parameters]` has a table for each dotted key of the preset: a list of values, or a range.
"""


def reference() -> str:
    """Return the whole page."""
    keys = [line.replace("## Top level", "### Top level") for line in sections(Sweep)]
    return "\n".join([HEAD, *keys, RANGES, *table(Parameter.model_fields)]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
