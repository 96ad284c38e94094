"""``python -m powerloop``: the command line."""

from powerloop.cli import main

if __name__ == "__main__":
    main()
