"""Examples of each command, shown below its help: what to do, and the line that does it."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "run": (
        ("Train a shipped preset, and watch it in the app", "cnn-tui run digits"),
        (
            "Your own preset with a key changed, without the app",
            "cnn-tui run my.toml --set optim.lr=0.1 --tag wide --headless",
        ),
        ("In the background, so that the terminal may be closed", "cnn-tui run vgg16 --detach"),
    ),
    "resume": (
        ("Go on with the newest run exactly where it ended", "cnn-tui resume last"),
        ("In a script: only errors and the result", "cnn-tui resume flowers --quiet"),
    ),
    "stop": (
        ("Stop the newest run; cnn-tui resume goes on with it", "cnn-tui stop last"),
        ("One of several runs, by the start of its id", "cnn-tui stop 20260101-1200"),
    ),
    "finish": (
        ("It is good enough: validate, test, and be done", "cnn-tui finish last"),
        ("By the name in its id", "cnn-tui finish flowers"),
    ),
    "pause": (
        ("Let somebody else have the GPU for a while", "cnn-tui pause last"),
        ("By the name in its id", "cnn-tui pause flowers"),
    ),
    "unpause": (
        ("Go on", "cnn-tui unpause last"),
        ("By the name in its id", "cnn-tui unpause flowers"),
    ),
    "queue": (
        ("Who waits", "cnn-tui queue"),
        ("Train them one after another, in the background", "cnn-tui queue --train --detach"),
        ("Four at a time, each with a GPU of its own", "cnn-tui queue --train --workers 4"),
    ),
    "sweep": (
        ("Begin a shipped search", "cnn-tui sweep digits-learning-rate"),
        ("Your own with two trials at once", "cnn-tui sweep rates.toml --workers 2"),
        ("Go on with it, and add trials", "cnn-tui sweep rates --trials 40"),
    ),
    "sweeps": (
        ("Those that have begun", "cnn-tui sweeps"),
        ("Those that come with the program", "cnn-tui sweeps --shipped"),
    ),
    "trials": (
        ("All trials, the best, and which keys matter", "cnn-tui trials rates"),
        ("For a program", "cnn-tui trials rates --json"),
    ),
    "reproduce": (
        ("List the studies", "cnn-tui reproduce"),
        ("An hour's work on one of them", "cnn-tui reproduce S3 --budget 60"),
        (
            "Without a GPU, and one row only",
            "cnn-tui reproduce S1 --reduced --only S1.7",
        ),
    ),
    "runs": (
        (
            "The good ones, the best first",
            "cnn-tui runs --filter 'best.val_acc > 0.8' --sort -best.val_acc",
        ),
        ("What failed, for a program", "cnn-tui runs --filter 'status == \"failed\"' --json"),
    ),
    "show": (
        ("The newest run", "cnn-tui show last"),
        ("By the name in its id, for a program", "cnn-tui show flowers --json"),
    ),
    "compare": (
        ("Two runs, by the names in their ids", "cnn-tui compare frozen scratch"),
        ("As a table for a paper", "cnn-tui compare frozen scratch --latex"),
    ),
    "evaluate": (
        ("How good the newest run is, class by class", "cnn-tui evaluate last"),
        (
            "Where it fails, as a picture",
            "cnn-tui evaluate last --split val --pictures mistakes.png",
        ),
        ("Every class, for a spreadsheet", "cnn-tui evaluate last --csv"),
    ),
    "predict": (
        ("All images of a folder", "cnn-tui predict last holiday/"),
        ("Two runs asked as one", "cnn-tui predict frozen cat.jpg --with scratch"),
    ),
    "filters": (
        ("The first convolution, before and after", "cnn-tui filters last --out filters.png"),
        ("Which others there are", "cnn-tui filters last --list"),
    ),
    "features": (
        (
            "What a network sees in a file, and where it looks",
            "cnn-tui features last cat.jpg --grad-cam --out seen.png",
        ),
        (
            "A certain layer, of an image of the data set",
            "cnn-tui features last ant/3.jpg --layer layer4 --out seen.png",
        ),
    ),
    "report": (
        ("One page of a run", "cnn-tui report last --out last.html"),
        ("Several runs side by side", "cnn-tui report frozen scratch --out both.md"),
    ),
    "export": (
        ("The network", "cnn-tui export last --format onnx --out net.onnx"),
        ("The curves", "cnn-tui export last --format tensorboard"),
    ),
    "presets": (
        ("By data set", "cnn-tui presets"),
        ("For a program", "cnn-tui presets --json"),
    ),
    "datasets": (
        ("What is here, and how to get the rest", "cnn-tui datasets"),
        ("Fetch one", "cnn-tui datasets --download cifar10"),
    ),
    "backbones": (
        ("All but timm's", "cnn-tui backbones"),
        ("Some of timm's", "cnn-tui backbones 'timm:convnext_t*'"),
    ),
    "check": (
        ("Your files before a commit, without any data", "cnn-tui check my.toml rates.toml"),
        ("Every mistake, for a program", "cnn-tui check my.toml --json"),
    ),
    "schema": (
        ("For an editor, beside your presets", "cnn-tui schema > preset.schema.json"),
        ("Of sweep files", "cnn-tui schema sweep > sweep.schema.json"),
    ),
    "new": (
        ("Answer a few questions", "cnn-tui new flowers.toml"),
        ("As a run was, with a key changed", "cnn-tui new wide.toml --from last --set seed=1"),
    ),
    "summary": (
        ("The network of a preset", "cnn-tui summary vgg16"),
        (
            "A backbone with frozen stages, and the memory of a step",
            "cnn-tui summary --backbone resnet50 --batch-size 64 --freeze first:3",
        ),
    ),
    "split": (
        ("Images of each class in each part", "cnn-tui split caltech101-alexnet-scratch"),
        ("Of your own images", "cnn-tui split folder-resnet18 --set data.root=/data/flowers"),
    ),
    "preview": (
        (
            "Images before and after the augmentation",
            "cnn-tui preview cifar10-fast --out seen.png",
        ),
        (
            "With another policy",
            "cnn-tui preview digits --set augment.policy=flip-crop --out seen.png",
        ),
    ),
    "surface": (
        ("Four optimizers on a function, as a moving picture", "cnn-tui surface beale --gif b.gif"),
        (
            "One optimizer, with a rate and a start of your own",
            "cnn-tui surface himmelblau --method plain --lr 0.01 --start 1 -2",
        ),
    ),
    "serve": (
        ("On this machine", "cnn-tui serve"),
        ("On a server, two windows at most", "cnn-tui serve --port 8000 --windows 2"),
    ),
    "doctor": (
        ("Is this machine ready?", "cnn-tui doctor"),
        ("For a program, or a report of a fault", "cnn-tui doctor --json"),
    ),
}
