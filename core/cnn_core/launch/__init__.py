"""Commands on other processors: here, on a Ray cluster, by SLURM."""
