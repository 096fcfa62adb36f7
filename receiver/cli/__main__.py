"""``python -m receiver.cli``: the same as the command `tocsin`."""

from receiver.cli import main

main()
