"""The user's notifications: what is told, to whom, when, and what becomes of failures."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from pseudo_terminal import PseudoTerminal

from cnn_core.errors import UserError
from cnn_core.search.results import SweepResults, TrialRow
from cnn_tui import notify
from cnn_tui.ending import Ending, ending_of_sweep
from cnn_tui.notify import Notifier, Notify
from cnn_tui.settings import read_config

SHORT = (*("run", "digits", "--headless", "--set", "train.epochs=1"), "--set", "data.limit=200")
HOSTILE = 'x"; `touch pwned` $(touch pwned) <!channel> \x1b[31m'
VARIABLES = 'env | grep "^CNN_TUI_" | sort > "$CNN_TUI_RUN_DIR/../../told.txt"'


class Server:
    """A web server on this machine that keeps what is posted to it."""

    def __init__(self, code: int = 200) -> None:
        self.posts: list[tuple[str, dict[str, object]]] = []
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                ours.posts.append((self.path, json.loads(content)))
                self.send_response(code)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hooks/s3cret"


@contextmanager
def serving(code: int = 200) -> Iterator[Server]:
    server = Server(code)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def ending(**changes: object) -> Ending:
    known: dict[str, object] = {
        "id": "1",
        "name": "one",
        "status": "finished",
        "folder": Path("one"),
        "best": {},
        "test": None,
        "error": None,
        "told": "",
    }
    return Ending(**known | changes)  # type: ignore[arg-type]


def told(how: Notify, end: Ending) -> list[str]:
    """Return what is told of failures."""
    failures: list[str] = []
    with Notifier(how, tell=failures.append, ring=failures.append) as notifier:
        notifier.ended(end)
    return failures


def test_a_run_s_end_is_told_by_command_and_webhook(cli):
    with serving() as server:
        cli.notify(command=VARIABLES, webhook=server.url, bell=True)
        done = cli(*SHORT, "--name", HOSTILE, "--json")
    assert "error" not in done.stderr
    assert "\a" not in done.stderr  # no terminal
    assert all(json.loads(line)["event"] for line in done.stdout.splitlines())
    shown = cli.json("show", "last")
    lines = (cli.folder / "told.txt").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    assert variables["CNN_TUI_RUN"] == shown["id"]
    assert variables["CNN_TUI_STATUS"] == "finished"
    assert variables["CNN_TUI_NAME"] == HOSTILE.replace("\x1b", "\\x1b")
    assert Path(variables["CNN_TUI_RUN_DIR"]) == cli.only_run()
    assert float(variables["CNN_TUI_TEST_ACC"]) == shown["test"]["acc"]
    assert variables["CNN_TUI_ERROR"] == ""
    assert not list(cli.folder.glob("**/pwned"))
    ((path, document),) = server.posts
    assert path == "/hooks/s3cret"
    assert {key: document[key] for key in ("id", "name", "status", "best", "test", "error")} == {
        key: shown[key] for key in ("id", "name", "status", "best", "test", "error")
    }
    accuracy = f"{100 * shown['test']['acc']:.2f}%"
    assert document["text"] == (
        "`x\"; 'touch pwned' $(touch pwned) &lt;!channel&gt; \\x1b[31m`: finished, "
        f"test accuracy {accuracy}"
    )


def test_what_fails_is_one_line_and_changes_no_exit_code(cli):
    with serving(404) as server:
        cli.notify(command="echo no such bell >&2; exit 3", webhook=server.url)
        done = cli(*SHORT, "--quiet")
    assert sorted(done.stderr.splitlines()) == [
        "error: notify.command: exit code 3: no such bell",
        f"error: notify.webhook (127.0.0.1:{server.http.server_port}): refused with 404 Not Found",
    ]
    assert done.stdout.startswith("status         finished\n")


def test_a_failure_is_told_as_such_wherever_the_run_trains(cli):
    cli.notify(command=VARIABLES, on=["failed", "diverged"])
    cli(*SHORT)
    assert not (cli.folder / "told.txt").exists()
    cli("run", "digits", "--queue", "--name", "hot", "--set", "optim.lr=1e30", "--set",
        "train.epochs=1")  # fmt: skip
    cli("queue", "--train", rc=1)
    variables = (cli.folder / "told.txt").read_text()
    assert "CNN_TUI_STATUS=diverged\n" in variables
    assert "CNN_TUI_NAME=hot\n" in variables
    assert "CNN_TUI_ERROR=\n" not in variables


def test_the_end_of_a_study_is_told(cli):
    (cli.folder / "D.toml").write_text(
        'title = "Digits"\nseeds = 2\n[[rows]]\nid = "D.1"\nwhat = "digits"\n'
        '[[rows.arms]]\npreset = "digits"\n'
        'set = { "train.epochs" = 1, "data.limit" = 200 }\n'
    )
    with serving() as server:
        cli.notify(webhook=server.url)
        quiet = cli("reproduce", "D.toml", "--quiet")
        cli("reproduce", "D.toml", "--quiet")  # which has nothing to train
    assert quiet.stderr == ""
    assert "D.1" in quiet.stdout
    ((_, document),) = server.posts
    assert document["text"] == "`D`: finished, 2 of 2 trainings have ended"


def test_the_message_of_a_sweep_tells_the_best_trial():
    folder = SimpleNamespace(
        path=Path("runs/sweeps/rates"),
        sweep=SimpleNamespace(name="rates", search=SimpleNamespace(metric="best.val_acc")),
    )
    best = TrialRow(2, {}, "finished", 0.75, "the-run", {"test": {"acc": 0.5}}, None)
    end = ending_of_sweep(folder, SweepResults((best,), best, 3), "failed", "no `device`")
    assert end.message() == {
        "text": "`rates`: failed, 1 of 3 trials have ended, best.val_acc 0.7500 at best: "
        "`no 'device'`",
        "id": "rates",
        "name": "rates",
        "status": "failed",
        "best": {"metric": "best.val_acc", "value": 0.75, "run": "the-run"},
        "test": {"acc": 0.5},
        "error": "no `device`",
    }
    assert end.environment()["CNN_TUI_BEST_VAL_ACC"] == ""
    assert end.environment()["CNN_TUI_TEST_ACC"] == "0.5"


def test_the_bell_rings_on_a_terminal(cli):
    cli.notify(bell=True)
    with PseudoTerminal(
        ["-m", "cnn_tui", *SHORT], folder=cli.folder, env=cli.env, zygote=cli.zygote
    ) as terminal:
        assert terminal.exit_code() == 0
    assert terminal.output.count(b"\a") == 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"bel": True}, "unknown key 'notify.bel'; did you mean 'bell'?"),
        ({"bell": "yes"}, "notify.bell = 'yes', expected true or false"),
        ({"on": ["done"]}, "notify.on = \"['done']\", expected a list of some of finished, "),
        ({"webhook": "ftp://x/s3cret"}, "notify.webhook expected an address such as https://"),
        ({"webhook": "https://me:s3cret@x/"}, "notify.webhook expected an address such as"),
    ],
)
def test_mistakes_in_the_settings_are_told(tmp_path, table, told):
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    (tmp_path / "config.toml").write_text("\n".join(["[notify]", *lines]))
    with pytest.raises(UserError) as caught:
        read_config(tmp_path)
    assert f"config.toml: {told}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_mistakes_in_the_settings_are_told_before_anything_is_made(cli):
    cli.notify(bell=1)
    assert "notify.bell = '1', expected true or false" in cli(*SHORT, rc=2).stderr
    assert not cli.runs.exists()


def test_what_hangs_is_left(monkeypatch):
    monkeypatch.setattr(notify, "PATIENCE_S", 0.2)
    monkeypatch.setattr(notify, "_SETTLING_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        how = Notify(command="sleep 60 & sleep 60", webhook=f"http://{place}/s3cret")
        failures = told(how, ending())
    assert sorted(failures) == [
        "notify.command: ended after 0 s, the longest it may take",
        f"notify.webhook ({place}): no answer within 0 s",
    ]


def test_a_server_that_never_ends_its_answer_is_left(monkeypatch):
    monkeypatch.setattr(notify, "PATIENCE_S", 0.3)
    monkeypatch.setattr(notify, "_SETTLING_S", 0.3)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection = listening.accept()[0]
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.05):
                connection.sendall(b"X: 1\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        failures = [*told(Notify(webhook=f"http://{place}/s3cret"), ending())]
        over.set()
        thread.join()
    assert failures == [f"notify.webhook ({place}) was not waited for any longer"]


def test_redirections_are_not_followed():
    with serving(302) as server:
        failures = told(Notify(webhook=server.url), ending())
    assert [path for path, _ in server.posts] == ["/hooks/s3cret"]
    assert failures == [f"notify.webhook ({notify.host_of(server.url)}): refused with 302 Found"]


def test_what_is_left_in_the_background_is_not_waited_for():
    assert told(Notify(command="sleep 60 & echo $! >&2; exit 1"), ending())[0].startswith(
        "notify.command: exit code 1: "
    )


def test_a_name_that_no_variable_holds_is_escaped(tmp_path):
    out = tmp_path / "name"
    how = Notify(command=f'printf %s "$CNN_TUI_NAME" > {out}')
    assert told(how, ending(name="a\0b\udcff")) == []
    assert out.read_text() == r"a\x00b\udcff"


def test_a_surrogate_in_a_name_is_still_json():
    with serving() as server:
        assert told(Notify(webhook=server.url), ending(name="\udcff")) == []
    assert server.posts[0][1]["name"] == "\udcff"


def test_presets_notify_nobody(cli):
    preset = cli.folder / "own.toml"
    preset.write_text('[data]\ndataset = "digits"\n[notify]\ncommand = "touch pwned"\n')
    assert "notify" in cli("run", preset, "--headless", rc=2).stderr
    assert not list(cli.folder.glob("**/pwned"))
