"""Data sets with a fault each, and the real command on them."""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

from cli_support import Cli
from odd_images import no_images, noise, odd_but_whole
from tally import Campaign

COMMAND_S = 120
PRESET = """\
name = "odd"
[data]
dataset = "folder"
root = "odd"
image_size = 8
[model]
backbone = "cnn"
options = { widths = [8] }
[train]
epochs = 1
"""


class Sets:
    """Data sets with a fault, and the real command on them."""

    def __init__(self, campaign: Campaign, cli: Cli) -> None:
        self.campaign, self.cli, self.root = campaign, cli, cli.data / "odd"
        (cli.folder / "odd.toml").write_text(PRESET)

    def fresh(self, classes: int = 2, each: int = 8) -> None:
        """Make the data set anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        for label in range(classes):
            (self.root / f"c{label}").mkdir(parents=True)
            for number in range(each):
                image = noise(9, 9, seed=100 * label + number)
                image.save(self.root / f"c{label}" / f"{number}.png")

    def run(self, *arguments: str, command: str = "run", settings: tuple[str, ...] = ()) -> str:
        """Run a command to its end; return its exit code and what it says."""
        keys = [part for item in settings for part in ("--set", item)]
        headless = ["--headless"] if command == "run" else []
        process = self.cli.start(command, "odd.toml", *headless, *keys, *arguments)
        late = threading.Timer(COMMAND_S, process.kill)
        late.start()
        _, errors = process.communicate()
        late.cancel()
        assert "Traceback" not in errors, errors[-2000:]
        return f"{process.returncode} {errors}"

    def refused(self, *sentence: str, settings: tuple[str, ...] = ()) -> None:
        """Fail unless the command ends with 2 and says all this."""
        told = self.run(settings=settings)
        assert told.startswith("2 "), told
        assert all(part in told for part in sentence), told

    def trained(self, *sentence: str, settings: tuple[str, ...] = ()) -> None:
        """Fail unless the run finishes and says all this."""
        told = self.run(settings=settings)
        assert told.startswith("0 "), told
        assert all(part in told for part in sentence), told


SKIP = ('data.on_corrupt="skip"',)


def files(sets: Sets) -> None:
    """Put files of all kinds among the images."""
    case = sets.campaign.case
    sets.fresh()
    for name, content in odd_but_whole():
        (sets.root / "c0" / name).write_bytes(content)
    with case("odd images that are whole", "all of them together"):
        sets.trained()
    for name, content in no_images():
        sets.fresh()
        (sets.root / "c0" / name).write_bytes(content)
        with case("files that are no images, or cut", f"{name}, refused"):
            sets.refused(f"1 corrupt image: c0/{name} (", 'or set data.on_corrupt = "skip"')
        with case("files that are no images, or cut", f"{name}, skipped"):
            sets.trained(f"1 corrupt image skipped: c0/{name} (", settings=SKIP)
    fault = "pipes, sockets, devices, folders and links named like images"
    kinds: dict[str, Callable[[Path], object]] = {
        "pipe.jpg": os.mkfifo,
        "socket.jpg": _socket,
        "folder.jpg": Path.mkdir,
        "device.jpg": lambda path: path.symlink_to("/dev/zero"),
        "nowhere.jpg": lambda path: path.symlink_to("nowhere"),
        "itself.jpg": lambda path: path.symlink_to(path),
    }
    for name, make in kinds.items():
        sets.fresh()
        make(sets.root / "c0" / name)
        with case(fault, f"{name}, which is no image"):
            sets.trained()
    sets.fresh()
    for link, target in {"up": "..", "round": ".", "far": "/usr/share", "lost": "nowhere"}.items():
        (sets.root / "c0" / link).symlink_to(target)
    with case(fault, "links to folders: in a circle, outwards, to nothing"):
        told = sets.run()
        assert told[0] in "02", told
    sets.fresh()
    (sets.root / "c0" / "huge.jpg").touch()
    os.truncate(sets.root / "c0" / "huge.jpg", 1 << 42)
    with case("a file of 4 terabytes", "sparse"):
        sets.trained("1 corrupt image skipped: c0/huge.jpg (", settings=SKIP)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # such a path may not be long
        made.bind(path.name)
        os.chdir(here)


def classes(sets: Sets) -> None:
    """Make folders of classes of all kinds."""
    case, root = sets.campaign.case, sets.root
    fault = "classes: none, one, without images, of one image"
    with case(fault, "no folder"):
        shutil.rmtree(root, ignore_errors=True)
        sets.refused("not found")
    with case(fault, "an empty folder"):
        root.mkdir(parents=True)
        sets.refused("no folders; expected one for each class")
    sets.fresh(classes=1)
    with case(fault, "one class"):
        sets.refused("only the class 'c0', expected two or more")
    sets.fresh()
    (root / "empty").mkdir()
    with case(fault, "no image"):
        sets.refused("no image in class folder 'empty'")
    sets.fresh()
    (root / "single").mkdir()
    noise(9, 9, 999).save(root / "single" / "x.png")
    with case(fault, "one image"):
        sets.refused("cannot split a class of 1 image: 'single'")
    fault = "roots that are a file, a device, everything"
    for place in ("/etc/passwd", "/dev/zero", "/proc", "/"):
        with case(fault, place):
            sets.refused("data set 'folder'", settings=(f'data.root="{place}"',))
    fault = "names of classes and files of any bytes"
    names = [
        *("case", "CASE", unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
        *("n" * 255, "a\nb", "x\udcff", "\x1b[31m", "[bold]", "$(id)", "-rf", "‮", "a\u2028b"),
        *("<script>", "=cmd|calc!A0", "\\input{x}", " ", "~", "CON"),
    ]
    for name in names:
        sets.fresh()
        for number in range(6):
            place = root / name
            place.mkdir(exist_ok=True)
            label = name if len(name) < 200 else "n" * 250
            noise(9, 9, 50 + number).save(place / f"{label[:40]}{number}.png")
        (root / name / ("b" * 251 + ".png")).write_bytes(b"no image")
        with case(fault, repr(name[:20])):
            told = sets.run(settings=SKIP)
            assert told.startswith("0 "), told
            assert not set("\x1b\x9b‮\u2028") & set(told), repr(told)


def lists(sets: Sets) -> None:
    """Write lists of images of all kinds."""
    fault = "lists of images: empty, wrong, of any encoding"
    good = [f"c{label}/{number}.png" for label in range(2) for number in range(8)]
    train, test = "\n".join(good[:4] + good[8:12]), "\n".join(good[4:8] + good[12:])
    texts: dict[str, tuple[bytes, str | None]] = {
        "as it should be": (test.encode(), None),
        "BOM and CRLF": (b"\xef\xbb\xbf" + test.replace("\n", "\r\n").encode(), None),
        "no end of the last line, blank lines": (f"\n\n{test}\n\n".encode(), None),
        "no such image": (b"c0/99.png", "test.txt, line 1: no image 'c0/99.png'"),
        "no such class": (b"\nc7/1.png", "test.txt, line 2: unknown class 'c7'"),
        "of the training": (b"c0/0.png", "is listed already in train.txt, line 1"),
        "UTF-16": (test.encode("utf-16"), "test.txt, line 1: "),
        "NUL bytes": (b"c0/4.png\0", "test.txt, line 1: no image 'c0/4.png\\x00'"),
        "outside": (b"../../x/y.png", "test.txt, line 1: unknown class '..'"),
        "outside of a class": (b"c0/../../../x.png", "test.txt, line 1: no image"),
        "escape sequences": (b"c0/\x1b[2J", r"no image 'c0/\x1b[2J'"),
    }
    for what, (content, told) in texts.items():
        sets.fresh()
        (sets.root / "train.txt").write_text(train)
        (sets.root / "test.txt").write_bytes(content)
        with sets.campaign.case(fault, what):
            if told is None:
                sets.trained(settings=("data.val_fraction=0.25",))
            else:
                sets.refused(told)
    sets.fresh()
    (sets.root / "train.txt").touch()
    with sets.campaign.case(fault, "empty train.txt"):
        sets.refused("train.txt: no image of class 'c0'")


def copies(sets: Sets) -> None:
    """Put the same image into training and test, and into two classes."""
    fault = "the same image in training and test, or in two classes"
    for label in (0, 1):
        sets.fresh()
        for number in range(8):
            shutil.copy(sets.root / "c0/0.png", sets.root / f"c{label}/copy{number}.png")
        with sets.campaign.case(fault, f"in class {label}"):
            said = "training images too, byte for byte (such as '"
            sets.trained(said, *(["more than one class"] if label else []))


def changing(sets: Sets) -> None:
    """Change files while they are read."""
    fault = "files that vanish, shrink, or become pipes while they are read"
    for number in range(max(3, sets.campaign.cases // 500)):
        sets.fresh(each=300)
        drawn = random.Random(sets.campaign.random.randrange(2**32))
        ended = threading.Event()
        harm = threading.Thread(target=_harm, args=(sets.root, drawn, ended))
        with sets.campaign.case(fault, f"time {number}"):
            harm.start()
            try:
                told = sets.run(settings=SKIP)
            finally:
                ended.set()
                harm.join()
            assert told.startswith(("0 ", "2 error: ")), told


def _harm(root: Path, drawn: random.Random, ended: threading.Event) -> None:
    files = sorted(root.rglob("*.png"))
    drawn.shuffle(files)
    ended.wait(drawn.uniform(0, 3))
    for file in files[:-30]:
        if ended.wait(0.005):
            return
        match drawn.randrange(3):
            case 0:
                file.unlink()
            case 1:
                os.truncate(file, drawn.randrange(100))
            case _:
                file.unlink()
                os.mkfifo(file)


def many(sets: Sets) -> None:
    """Train on ten thousand classes."""
    count = sets.campaign.options.classes
    fault = f"{count:,} classes"
    sets.fresh(classes=count, each=3)
    parts = ("data.test_fraction=0.34", "data.val_fraction=0.0")
    details = sets.campaign.row(fault).details
    for command in ("split", "run"):
        with sets.campaign.case(fault, command):
            began = time.monotonic()
            told = sets.run(command=command, settings=parts)
            assert told.startswith("0 "), told
            details[f"{command}, s"] = round(time.monotonic() - began)
    run_dir = sets.cli.run_dirs()[-1]
    for command in (["show", run_dir.name], ["runs"]):
        with sets.campaign.case(fault, command[0]):
            began = time.monotonic()
            sets.cli(*command)
            details[f"{command[0]}, s"] = round(time.monotonic() - began)
    details["events.jsonl"] = f"{(run_dir / 'events.jsonl').stat().st_size / 1e6:.1f} MB"


def archives(sets: Sets) -> None:
    """Damage what CIFAR-10 is published as."""
    fault = "CIFAR-10 damaged, partial, or with code in it"
    folder = sets.cli.data / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    code = b"cposix\nsystem\n(S'touch ran'\ntR."
    kinds: dict[str, Callable[[Path], object]] = {
        "missing": lambda _: None,
        "empty": Path.touch,
        "code": lambda path: path.write_bytes(code),
        "a pipe": os.mkfifo,
    }
    preset = sets.cli.folder / "cifar.toml"
    preset.write_text(PRESET.replace('"folder"', '"cifar10"').replace('root = "odd"\n', ""))
    for what, make in kinds.items():
        make(folder / "batches.meta")
        with sets.campaign.case(fault, what):
            done = sets.cli("run", preset, "--headless", rc=2)
            assert "batches.meta" in done.stderr, done.stderr
            assert not list(sets.cli.folder.rglob("ran"))
        (folder / "batches.meta").unlink(missing_ok=True)


def unreadable(sets: Sets) -> None:
    """Read as a user who may not."""
    fault = "files and folders without the right to read them"
    if shutil.which("setpriv") is None or os.getuid() != 0:
        print(f"{fault}: left out, needs root and setpriv", file=sys.stderr)
        return
    sets.fresh()
    locked = sets.root / "c0" / "0.png"
    locked.chmod(0)
    for folder in [sets.cli.folder, *sets.cli.folder.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o005)
    for what, make, told in (
        ("file", lambda: None, "c0/0.png (Permission denied)"),
        ("folder", lambda: (sets.root / "c1").chmod(0), "c1/: Permission denied"),
    ):
        make()
        with sets.campaign.case(fault, what), tempfile.TemporaryDirectory() as home:
            os.chown(home, 65534, 65534)
            env = sets.cli.env | {"CNN_TUI_RUNS": f"{home}/runs", "CNN_TUI_CACHE": f"{home}/cache"}
            done = subprocess.run(
                [
                    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
                    *(sys.executable, "-m", "cnn_tui", "run", "odd.toml", "--headless"),
                ],
                cwd=sets.cli.folder,
                env=env | {"HOME": home},
                capture_output=True,
                encoding="utf-8",
                timeout=COMMAND_S,
                check=False,
            )
            assert done.returncode == 2, done.stderr
            assert told in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
    (sets.root / "c1").chmod(0o755)
