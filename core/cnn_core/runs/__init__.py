"""The run directory: everything that is known of a run, as plain files that anyone can follow."""
