"""Other people's trackers, TensorBoard and MLflow: what they get to know of a run."""

from typing import Literal

TrackerName = Literal["tensorboard", "mlflow"]
