"""Folders as the kubelet mounts ConfigMaps and Secrets: names link to ``..data``, which links to a version."""

import itertools
from collections.abc import Mapping
from pathlib import Path

_VERSIONS = itertools.count(1)


def mount(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files; returns it."""
    folder.mkdir(parents=True)
    swap(folder, files)
    return folder


def swap(folder: Path, files: Mapping[str, str]) -> None:
    """Change what is mounted, all at once, by the very steps of the kubelet's AtomicWriter."""
    version = folder / f"..2026_01_01_00_00_00.{next(_VERSIONS)}"
    version.mkdir()
    for name, text in files.items():
        (version / name).write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    link.rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in files:
            entry.unlink()
