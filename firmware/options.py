"""Settings: what may stand in settings.py, and which line is wrong. No I/O.

A line is empty, a comment, or NAME = VALUE, where the value is a number, a text in quotes, True,
False, None or a list of texts, on one line. It is read line by line instead of being run, so that
a mistake is reported with its line, and nothing else can happen in it.
"""

DEFAULTS: "dict[str, object]" = {
    "SSID": None,
    "PASSWORD": "",
    "COUNTRY": "",
    "HOSTNAME": "",
    "PORT": 36220,
    "SEEDS": [],
    "BROADCAST": True,
    "CLUSTER_SIZE": 32,
    "NETWORK": "lan",
    "MEMBERS_MAX": 64,
    "WATCHDOG": True,
    "RESET_AFTER_MINUTES": 60,
    "LED": "board",
    "CONSOLE": True,
    "LOG_DEBUG": False,
}
"""name -> default; settings_example.py says what each is for."""

_RANGES = {
    "PORT": (1, 65535),
    "CLUSTER_SIZE": (1, 10000),
    "MEMBERS_MAX": (1, 1000),
    "RESET_AFTER_MINUTES": (5, 10000),
}
_FLAGS = ("BROADCAST", "WATCHDOG", "CONSOLE", "LOG_DEBUG")


class SettingsError(ValueError):
    """A mistake in settings.py; the text names the line and what to write instead."""


class Settings:
    """One attribute for each name in `DEFAULTS`."""

    SSID: str
    PASSWORD: str
    COUNTRY: str
    HOSTNAME: str
    PORT: int
    SEEDS: "list[str]"
    BROADCAST: bool
    CLUSTER_SIZE: int
    NETWORK: str
    MEMBERS_MAX: int
    WATCHDOG: bool
    RESET_AFTER_MINUTES: int
    LED: "int | str | None"
    CONSOLE: bool
    LOG_DEBUG: bool

    def __init__(self):
        for name in DEFAULTS:
            setattr(self, name, DEFAULTS[name])


def parse(text):
    """The `Settings` in the text of settings.py. Raises SettingsError for the first mistake."""
    settings = Settings()
    seen: dict[str, int] = {}
    number = 0
    for line in text.split("\n"):
        number += 1
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals:
            _refuse(number, "is not NAME = VALUE: %s" % line)
        if name not in DEFAULTS:
            _refuse(number, "%s is no setting: see settings_example.py" % name)
        if name in seen:
            _refuse(number, "%s was already set on line %d" % (name, seen[name]))
        seen[name] = number
        value = _evaluate(number, value.strip())
        problem = check(name, value)
        if problem:
            _refuse(number, "%s %s" % (name, problem))
        setattr(settings, name, value)
    if "SSID" not in seen:
        raise SettingsError("settings.py: SSID is missing: add SSID = 'name of your WiFi'")
    return settings


def _refuse(number, problem):
    raise SettingsError("settings.py line %d: %s" % (number, problem))


def _evaluate(number, text):
    value = _literal(text)
    if value is _BAD:
        _refuse(number, "%s is no number, text in quotes, list, True, False or None" % text)
    return value


_BAD = object()


def _literal(text):
    """The value of a literal, or _BAD. A comment may follow it."""
    for quote in ("'", '"'):
        if text.startswith(quote):
            return _text(text, quote)
    if text.startswith("["):
        return _list(text)
    text = text.partition("#")[0].strip()
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    digits = text[1:] if text.startswith("-") else text
    digits = digits.replace("_", "")
    if digits and all([digit in "0123456789" for digit in digits]):
        return int(text.replace("_", ""))
    return _BAD


def _text(text, quote):
    """A text in quotes, a backslash before a quote or backslash in it; a comment may follow."""
    value, rest = _take_text(text, quote)
    return value if rest == "" or rest.startswith("#") else _BAD


def _take_text(text, quote):
    value = ""
    at = 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        value += text[at]
        at += 1
    if at >= len(text):
        return _BAD, "?"
    return value, text[at + 1 :].strip()


def _list(text):
    values = []
    rest = text[1:].strip()
    while not rest.startswith("]"):
        if rest[:1] not in ("'", '"'):
            return _BAD
        value, rest = _take_text(rest, rest[0])
        values.append(value)
        if rest.startswith(","):
            rest = rest[1:].strip()
        elif not rest.startswith("]"):
            return _BAD
    rest = rest[1:].strip()
    return values if rest == "" or rest.startswith("#") else _BAD


def check(name, value):
    """What is wrong with `value` for the setting `name`, as a predicate, or None."""
    if name in _FLAGS:
        return None if value is True or value is False else "must be True or False"
    if name in _RANGES:
        low, high = _RANGES[name]
        if type(value) is not int or not low <= value <= high:
            return "must be a number %d .. %d" % (low, high)
        return None
    if name == "LED":
        if value in ("board", None) or (type(value) is int and 0 <= value <= 48):
            return None
        return "must be 'board', None or a GPIO number 0 .. 48"
    if name == "SEEDS":
        return _check_seeds(value)
    if not isinstance(value, str):
        return "must be a text in quotes"
    if name == "NETWORK":
        return None if value in ("lan", "wan") else "must be 'lan' or 'wan'"
    if name == "SSID":
        return None if 1 <= len(value.encode()) <= 32 else "must have 1 .. 32 bytes"
    if name == "PASSWORD" and not (value == "" or 8 <= len(value) <= 64):
        return "must have 8 .. 64 characters, or none for an open WiFi"
    if name == "COUNTRY" and len(value) not in (0, 2):
        return "must be a code of two letters, like 'DE'"
    if name == "HOSTNAME" and len(value) > 32:
        return "must have at most 32 characters"
    return None


def _check_seeds(value):
    from foca.address import parse
    from foca.errors import ConfigError
    from foca.identity import ipv4

    if not isinstance(value, list):
        return "must be a list like ['192.168.1.5:36220']"
    layout = ipv4()
    for text in value:
        try:
            parse(layout, text)
        except ConfigError as error:
            return str(error)
    return None
