"""Data sets: found, split, and decoded once into one array of pixels."""
