"""Which weights come from which package, with which hash, and how they are converted."""
