"""Whom calls and SMS come from: one number or name, and others for some countries.

The setting is ``+12025550100, +49=+4930123456, +44=Tocsin``: a country's prefix has its own sender. Networks of many
countries bar foreign numbers, or names.
"""

from receiver.errors import SettingsError


def sender_to(number: str, setting: str) -> str:
    """Returns the sender of the longest prefix that the number has."""
    return max((each for each in _pairs(setting) if number.startswith(each[0])), key=lambda each: len(each[0]))[1]


def checked(setting: str, variable: str) -> str:
    """Returns the setting. Raises SettingsError where it lacks a sender for all other countries, or a part is wrong."""
    pairs = _pairs(setting)
    if any(not sender or (prefix and not (prefix[0] == "+" and prefix[1:].isdecimal())) for prefix, sender in pairs):
        raise SettingsError(f"{variable}: write a sender, then those of countries: +12025550100, +49=+4930123456")
    if [prefix for prefix, _ in pairs].count("") != 1:
        raise SettingsError(f"{variable}: name one sender without a country, for all other countries")
    return setting


def _pairs(setting: str) -> list[tuple[str, str]]:
    """(prefix, sender); an empty prefix stands for all countries."""
    parts = (each.rpartition("=") for each in setting.split(","))
    return [(prefix.strip(), sender.strip()) for prefix, _, sender in parts]
