"""The commands of ``cnn-tui``, a module for each family. None imports torch before it runs."""
