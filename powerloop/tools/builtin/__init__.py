"""The tools that come with powerloop, one file per family."""
