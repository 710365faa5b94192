"""Curves and other figures as pictures, by matplotlib."""
