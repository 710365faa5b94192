"""A run for other programs: its network as a file, its curves for other trackers."""
