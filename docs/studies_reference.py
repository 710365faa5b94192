"""Write docs/studies.md from the models: ``make pages``."""

import sys

from presets_reference import sections, table

from cnn_core.studies.study_config import Arm, Layers, Row, Study

HEAD = """\
# Studies

<!-- Made by docs/studies_reference.py from the models; edit the text or the docstrings there. -->

A study is a published table to be had again: rows, what trains each of them, and the figures that
are reported. `cnn-tui reproduce STUDY` trains what is missing and writes the table with ours beside
theirs. The five reports of [results.md](results.md) come with the program; one of your own is a
TOML file:

    title = "Digits: two rates"
    seeds = 3                                # trainings of each arm

    [reduced]                                # with --reduced, for small machines
    "train.epochs" = 5

    [[rows]]
    id = "T1"
    what = "Learning rate"

    [[rows.arms]]
    label = "0.05"
    preset = "digits"
    reported = { "test.acc" = 0.97 }

    [[rows.arms]]
    label = "0.005"
    preset = "digits"
    set = { "optim.lr" = 0.005 }

    [[rows]]
    id = "T2"
    what = "Parameters"

    [[rows.arms]]                            # nothing is trained: layers are counted
    layers = { backbone = "alexnet", classes = 1000, image_size = 224 }
    reported = { total = 61_100_840 }

## What happens

- **A run is found by its settings:** one that has ended with the same ones, seed included, serves,
  whatever it is called and whoever trained it; one that was stopped or killed is gone on with;
  else a new one is made, tagged with the study and the row. There is nothing else to keep, so an
  interrupted study goes on where it stopped, and rows that share an arm train it once.
- **What was trained elsewhere stays in the table:** where no run of some settings has ended here,
  the training that `results.json` of the `--out` folder tells of them serves, and is not repeated.
  So several machines can each train some rows (`--only`) into one folder, and runs may be deleted.
  Settings that were changed since match nothing any more; without that file all is trained anew.
- **The first training of every arm comes before any second one,** so that a budget that is too
  small for all seeds still gives a whole table.
- **`--budget MINUTES`** stops the run in training with a checkpoint when the time is up; `--budget
  0` trains nothing and writes the tables of what is there. Ctrl-C stops as everywhere.
- **Seeds** are the preset's own and those that follow it. The split stays (`data.split_seed`).
- **What can't be trained here,** for want of data or weights, is told once below the table, with
  what is missing; all else goes on.
- **Several commands** may train one study in one folder of runs: what one has in training, others
  pass over.

It writes to `runs/studies/<name>/` (`--out FOLDER`): `table.md`, `table.csv` (numbers as they are),
`table.tex` (booktabs), `results.json` (with each epoch), and for each row the curves of its arms
overlaid, means where there are several trainings. Written again, the files are the same byte for
byte.

## Keys
"""


def reference() -> str:
    """Return the whole page."""
    keys = [line.replace("## Top level", "### Top level") for line in sections(Study)]
    lists = [
        line
        for title, model in (("rows", Row), ("rows.arms", Arm), ("rows.arms.layers", Layers))
        for line in (f"\n### `{title}`\n", *table(model.model_fields))
    ]
    return "\n".join([HEAD, *keys, *lists]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
