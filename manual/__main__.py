"""Writes the pages that are made from the code."""

from manual.pages import ROOT, pages

if __name__ == "__main__":
    for path, text in pages():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)
