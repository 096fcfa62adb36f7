"""Writes the pages that are generated from the code."""

from itertools import chain

from manual.pages import ROOT, pages, stories

if __name__ == "__main__":
    for path, text in chain(pages(), stories()):
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)
