"""Where policies come from: files, folders, Markdown, the packs; and files that cannot be read."""

import os
import socket

import pytest

from rules import stored
from rules.load import load, load_text, load_with_warnings
from rules.problems import PolicyError
from rules.source import fingerprint

CHANNELS = """\
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [oncall@example.org]}
"""
DETECTION = """\
incident_response:
  detection:
    check_interval: 30
    alert_threshold: 4
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [email]}
"""


def test_files_and_their_order_do_not_change_what_a_policy_means(tmp_path):
    """The same content in other folders, files and order has the same digest, though the places differ."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "a.yaml").write_text(CHANNELS)
    (one / "b.yml").write_text(DETECTION)
    (two / "x.md").write_text(f"# Rules\n\n```yaml\n{DETECTION}```\n\nand\n\n```yaml\n{CHANNELS}```\n")
    first, second = load([one]), load([two])
    assert first.rules[0].place != second.rules[0].place
    assert stored.digest(first) == stored.digest(second)


def test_a_folder_is_read_without_its_subfolders_and_hidden_files(tmp_path):
    """A mounted ConfigMap shows every file twice, once under a hidden folder: each is read once; others are left."""
    hidden = tmp_path / "..2026_01_01"
    hidden.mkdir()
    (hidden / "policy.yaml").write_text(CHANNELS + "fallback: [email]\n")
    (tmp_path / "..data").symlink_to(hidden)
    (tmp_path / "policy.yaml").symlink_to(hidden / "policy.yaml")
    (tmp_path / "README.md").write_text("# No policy in here\n")
    (tmp_path / "notes.txt").write_text("not: [yaml")
    (tmp_path / ".#policy.yaml").symlink_to("an-editor@lock")
    assert load([tmp_path, tmp_path / "policy.yaml"]).fallback == ("email",)


def test_a_file_named_twice_is_read_once(tmp_path):
    """A fault in a file that is given by itself and with its folder is told once."""
    (tmp_path / "policy.yaml").write_text("a: [1\n")
    with pytest.raises(PolicyError) as caught:
        load([tmp_path, tmp_path / "policy.yaml"])
    assert len(caught.value.problems) == 1


def test_a_byte_order_mark_does_not_hide_the_first_block(tmp_path):
    """Markdown that an editor saved with a byte order mark is read from its first line."""
    (tmp_path / "policy.md").write_bytes(b"\xef\xbb\xbf" + f"```yaml\n{CHANNELS}```\n".encode())
    assert load([tmp_path / "policy.md"]).channels


def test_an_empty_document_between_two_is_nothing(tmp_path):
    """Separators without content are no fault."""
    (tmp_path / "policy.yaml").write_text(f"---\n---\n{CHANNELS}---\n# nothing\n---\n{DETECTION}")
    assert len(load([tmp_path]).rules) == 1


def test_windows_files_are_read_with_the_right_lines(tmp_path):
    """A byte order mark and CRLF change neither meaning nor line numbers."""
    text = (CHANNELS + "---\n" + DETECTION).replace("\n", "\r\n")
    (tmp_path / "policy.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    policy = load([tmp_path])
    assert policy.rules[0].place.line == 10
    assert stored.digest(policy) == stored.digest(load_text(CHANNELS + "---\n" + DETECTION).policy)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing", None, "no such file or folder"),
        ("too large", b"a: " + b"x" * (4 * 1024 * 1024), "larger than 4 MiB"),
        ("not UTF-8", b"a: b\nc: \xff\xfe\n", "policy.yaml:2:4: not UTF-8 (byte 0xFF)"),
        ("UTF-16", "a: b".encode("utf-16"), "policy.yaml:1:1: not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path, name, content, says):
    """Missing, huge and binary files are errors that say which file and why, without a traceback."""
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        load([path])
    assert says in str(caught.value), name
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    """A pipe without a writer, a socket, a device without an end: told by name; other files of the folder count."""
    path, folder = tmp_path / "folder" / "policy.yaml", tmp_path / "folder"
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(path))
    else:
        path.symlink_to("/dev/zero")
    (folder / "other.yaml").write_text("a: [")
    with pytest.raises(
        PolicyError, match=f"policy.yaml: cannot be read: it is a {kind}, and a file is needed"
    ) as caught:
        load([folder])
    assert len(caught.value.problems) == 2
    assert fingerprint([folder]) == fingerprint([folder])


def test_a_file_of_fifty_megabytes_is_refused_without_reading_it(tmp_path):
    """A huge file costs no more than its first 4 MiB."""
    path = tmp_path / "policy.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(PolicyError, match="larger than 4 MiB"):
        load([path])


def test_an_empty_folder_says_what_it_looked_for(tmp_path):
    """A folder without policies names the kinds of files that would be read."""
    with pytest.raises(PolicyError, match=r"no policy in this folder: looked for \*.yaml"):
        load([tmp_path])


def test_ten_thousand_rules_load(tmp_path):
    """A large estate's policy is read whole, each rule with its own place."""
    lines = [
        f'      - {{name: "r{n}", condition: "m{n} < 0.95", severity: 3, channels: [email]}}\n' for n in range(10_000)
    ]
    path = tmp_path / "policy.yaml"
    path.write_text(CHANNELS + "  detection:\n    rules:\n" + "".join(lines))
    rules = load([path]).rules
    assert (len(rules), rules[-1].place.line) == (10_000, 10_005)


def test_no_paths_are_the_packs():
    """Without a path the shipped packs are the policy, with places that name no folder of this machine."""
    loaded = load_with_warnings()
    assert loaded.policy.rules[0].place.path == "packs/incident_response.yaml"
    assert all(warning.path.startswith("packs/") for warning in loaded.warnings)
