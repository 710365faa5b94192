"""Widgets that stand on their own."""
