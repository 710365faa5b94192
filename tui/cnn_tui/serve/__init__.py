"""The app in browsers: each window of one is the app in a process and a terminal of its own."""
