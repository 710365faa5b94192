"""Curves, sparklines and bars in cells, and curves in files."""
