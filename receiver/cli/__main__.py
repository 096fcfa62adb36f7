"""``python -m receiver.cli`` runs the command `tocsin`."""

from receiver.cli import main

main()
