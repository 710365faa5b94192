"""Ways to train the same network on the same images, ours among them.

Each module has ``prepare(task, ...)``, which sets everything up and returns a function that
trains one round, which is an epoch of the task, and returns how many images it saw. Modules are
imported only when they are needed: most of them import a library of the extra ``bench``.
"""
