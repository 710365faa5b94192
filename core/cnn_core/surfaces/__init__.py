"""Gradient descent on functions of two variables, to see what optimizers do."""
