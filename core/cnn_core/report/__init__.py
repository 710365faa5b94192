"""A run, or several side by side, as one document: gathered, composed, written."""
