"""The settings.py of a board: read without running it, checked, and given another network.

    settings = Settings(text, "settings.py")
    settings.check(example)                    BoardError with the line of the first mistake
    settings.replaced("WIFI_SSID", "home")     the same text, comments included, one value changed

Used by deploy.py; not a command. The network's name and its password are the two assignments whose
names end in SSID and PASSWORD. What may be set at all, and with which type, is what
firmware/settings_example.py sets. A password is never printed and never written to this machine.
"""

import ast
import contextlib
import difflib
import getpass
import os
import re
import sys
from pathlib import Path

from board_link import SETTINGS, BoardError

EXAMPLE = "settings_example.py"
PASSWORD_VARIABLE = "FOCA_WIFI_PASSWORD"


class Settings:
    """A settings.py: assignments, read without running them."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.values: dict[str, tuple[ast.expr, int]] = {}
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = getattr(error, "msg", None) or str(error)
            raise BoardError(SETTINGS, f"{name}, line {line}: {reason}") from None
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.values[target.id] = (statement.value, statement.lineno)

    def find(self, ending: str) -> str:
        """The name that ends so in capitals, as SSID and PASSWORD do; "" if there is none."""
        for name in self.values:
            if name.upper().endswith(ending):
                return name
        return ""

    def literal(self, name: str) -> object:
        """The value; None when there is none, or when it must be computed."""
        if name in self.values:
            with contextlib.suppress(ValueError):
                value: object = ast.literal_eval(self.values[name][0])
                return value
        return None

    def replaced(self, name: str, value: str) -> "Settings":
        """The same text with another value behind `name`; comments stay."""
        node, _ = self.values[name]
        assert node.end_lineno is not None and node.end_col_offset is not None
        lines = self.text.encode().split(b"\n")
        tail = lines[node.end_lineno - 1][node.end_col_offset :]
        head = lines[node.lineno - 1][: node.col_offset]
        lines[node.lineno - 1 : node.end_lineno] = [head + repr(value).encode() + tail]
        return Settings(b"\n".join(lines).decode(), self.name)

    def check(self, example: "Settings") -> None:
        """BoardError for the first mistake: a name nobody reads, a value of another type."""
        for name, (_, line) in self.values.items():
            where = f"{self.name}, line {line}"
            if name.startswith("_"):
                continue
            if name not in example.values:
                near = difflib.get_close_matches(name, example.values, 1)
                hint = f"did you mean {near[0]}?" if near else f"{EXAMPLE} lists all names"
                raise BoardError(SETTINGS, f"{where}: nothing reads {name}: {hint}")
            value, model = self.literal(name), example.literal(name)
            if None not in (value, model) and type(value) is not type(model):
                kind = type(model).__name__
                raise BoardError(SETTINGS, f"{where}: {name} must be {kind}, like {model!r}")
        ssid, password = (self.literal(self.find(word)) for word in ("SSID", "PASSWORD"))
        if isinstance(ssid, str) and not 1 <= len(ssid.encode()) <= 32:
            raise BoardError(
                SETTINGS, f"{self.name}: a network's name has 1 to 32 bytes: say --ssid NAME"
            )
        check_password(password if isinstance(password, str) else "")


def check_password(password: str) -> None:
    """WPA: 8 to 63 characters, or 64 hexadecimal digits; none for an open network."""
    is_key = re.fullmatch(r"[0-9A-Fa-f]{64}", password)
    if password and not is_key and not 8 <= len(password.encode()) <= 63:
        raise BoardError(
            SETTINGS, "a WiFi password has 8 to 63 characters (none: an open network): try again"
        )


def ask_password(ssid: str) -> str | None:
    """From the environment, or from the person; None when the board may keep the one it has."""
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None:
        if not sys.stdin.isatty():
            return None
        password = getpass.getpass(f"Password of {ssid} (empty: as on the board, or none): ")
        if not password:
            return None
    check_password(password)
    return password


def make_settings(
    example_text: str,
    board_text: str | None,
    file: Path | None,
    ssid: str | None,
    password: str | None,
) -> Settings:
    """The settings.py for one board: from `file`, else from the board's own, else the example.

    password: None keeps the one that the board has for this network; where it has none, there
    must be somebody who has just been asked (ask_password).
    """
    example = Settings(example_text, EXAMPLE)
    if file:
        try:
            settings = Settings(file.read_text(), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise BoardError(SETTINGS, f"{file}: {error}") from None
    elif board_text is not None:
        settings = Settings(board_text, "settings.py on the board")
    elif ssid is not None:
        settings = example
    else:
        raise BoardError(
            SETTINGS, "the board has no settings.py yet: say --ssid NAME or --settings FILE"
        )
    if ssid is not None:
        for word in ("SSID", "PASSWORD"):
            if not settings.find(word):
                raise BoardError(SETTINGS, f"{settings.name} sets no ...{word}: see {EXAMPLE}")
        known = settings.literal(settings.find("SSID")) == ssid and settings is not example
        if password is None and not known and not sys.stdin.isatty():
            raise BoardError(
                SETTINGS,
                f"no password for {ssid}: set {PASSWORD_VARIABLE} (empty: an open network)",
            )
        settings = settings.replaced(settings.find("SSID"), ssid)
        if password is not None or not known:
            settings = settings.replaced(settings.find("PASSWORD"), password or "")
    settings.check(example)
    return settings
