"""Sweeps: many runs of one preset, to find the values of its keys that serve best."""
