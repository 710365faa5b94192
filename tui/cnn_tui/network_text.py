"""A network and the memory of its steps, in words: the same in the terminal and in the app."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnn_core.step_memory import StepMemory
    from cnn_core.summary import StageRow


def stage_state(stage: "StageRow") -> str:
    """Return whether a stage trains; nothing of one without parameters."""
    if not stage.parameters:
        return ""
    if not stage.trainable:
        return "frozen"
    return "in part" if stage.frozen else "trains"


def step_parts(step: "StepMemory", optimizer: str) -> list[tuple[str, int, str]]:
    """Return the parts of a step's memory, in bytes, with remarks; then the most at once."""
    return [
        ("parameters", step.parameters_bytes, "with buffers"),
        ("gradients", step.gradients_bytes, "of what trains"),
        ("optimizer", step.optimizer_bytes, optimizer),
        ("images", step.images_bytes, "uint8 and float32"),
        ("forward", step.activations_bytes, "kept for backward"),
        ("at the peak", step.peak_bytes, "most at once, float32"),
    ]
