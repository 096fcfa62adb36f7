"""The names and rooms of the code: no circle, no name twice, each with a sentence that says what it is."""

from collections import Counter

from manual import rooms
from manual.code import first_sentence, imports, modules

FOUND = modules()
FACES = {"__init__", "__main__"}


def test_the_rooms_stand_above_what_they_import() -> None:
    """No two rooms import each other, directly or by way of others."""
    drawn = rooms.arrows(FOUND)
    floor = rooms.floors(drawn)
    assert all(floor[name] > floor[other] for name, others in drawn.items() for other in others)


def test_no_modules_import_each_other() -> None:
    """Within a room, too, what a module imports never leads back to it."""
    drawn = {name: frozenset(imports(module, FOUND) - {name}) for name, module in FOUND.items()}
    assert rooms.floors(drawn)  # raises for a circle


def test_no_two_public_classes_have_one_name() -> None:
    """A class's name says which one is meant."""
    counted = Counter(name for module in FOUND.values() for name in module.classes)
    assert [name for name, count in counted.items() if count > 1] == []


def test_no_two_modules_have_one_name() -> None:
    """A module's name says which one is meant; only a job and its pure rule in the core share theirs."""
    files = [module for module in FOUND.values() if module.path.stem not in FACES]
    pure = {module.path.stem for module in files if module.name.startswith("receiver.core.")}
    counted = Counter(
        module.path.stem
        for module in files
        if not (module.name.startswith("receiver.jobs.") and module.path.stem in pure)
    )
    assert [name for name, count in counted.items() if count > 1] == []


def test_everything_public_says_what_it_is() -> None:
    """Every package, module and public class has a first sentence, from which docs/words.md is made."""
    silent = [module.name for module in FOUND.values() if not first_sentence(module.tree)]
    silent += [
        f"{module.name}.{name}"
        for module in FOUND.values()
        for name, node in module.classes.items()
        if not first_sentence(node)
    ]
    assert silent == []


def test_no_file_stands_loose() -> None:
    """Beside its packages `receiver/` holds only what starts it and what all of it may import."""
    loose = {module.path.stem for module in FOUND.values() if module.name.count(".") == 1} - {
        module.path.stem for module in FOUND.values() if module.name.startswith("rules.")
    }
    kept = {"accounts", "background", "clock", "errors", "runtime", "service", "setting_kinds", "settings", "version"}
    assert loose - FACES <= kept
