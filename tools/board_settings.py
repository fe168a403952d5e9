"""The settings.py of a board: checked as the board checks it, and given another network.

    check(text, "settings.py")                   BoardError with the line of the first mistake
    with_value(text, "SSID", "home")             the same text with one line changed
    make_settings(...)                           what one board is to get

Used by deploy.py; not a command. What a settings.py may hold is decided by firmware/options.py
alone: the desktop loads the board's own reader. A password is never printed and never written to
this machine.
"""

import ast
import getpass
import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

from board_link import SETTINGS, BoardError

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ROOT / "firmware" / "options.py"
EXAMPLE = "settings_example.py"
PASSWORD_VARIABLE = "FOCA_WIFI_PASSWORD"
PASSWORD_CHARACTERS = "8 to 63 characters (64 hexadecimal digits: a key; none: an open network)"


def _options() -> Any:
    """The module of the firmware that reads settings; it imports foca for addresses."""
    if str(ROOT / "lib") not in sys.path:
        sys.path.append(str(ROOT / "lib"))
    spec = importlib.util.spec_from_file_location("firmware_options", OPTIONS)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(text: str, name: str) -> Any:
    """The board's own `Settings` of this text; `name` is what the complaint calls it."""
    options = _options()
    try:
        return options.parse(text)
    except options.SettingsError as error:
        reason = str(error).replace("settings.py", name, 1)
        raise BoardError(SETTINGS, f"{reason}; {EXAMPLE} shows every setting") from None


def quoted(value: str) -> str:
    """As the board reads a text: a backslash only before a quote or a backslash."""
    if not value.isprintable():
        raise BoardError(SETTINGS, "a network's name and password cannot hold control characters")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def with_value(text: str, name: str, value: str) -> str:
    """`text` with `name` set to `value`: its line changed (a comment behind stays), or added."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        match = re.match(rf"\s*{name}\s*=\s*", line)
        if match:
            behind = line[match.end() :].encode()
            node = ast.parse(behind, mode="eval").body
            rest = behind[node.end_col_offset :].decode()
            lines[number] = line[: match.end()] + quoted(value) + rest
            return "\n".join(lines)
    return f"{name} = {quoted(value)}\n" + text


def check_password(password: str) -> None:
    """WPA: 8 to 63 characters, or a key of 64 hexadecimal digits; none for an open network."""
    is_key = re.fullmatch(r"[0-9A-Fa-f]{64}", password)
    if password and not is_key and not 8 <= len(password.encode()) <= 63:
        raise BoardError(SETTINGS, f"a WiFi password has {PASSWORD_CHARACTERS}: try again")


def ask_password(ssid: str) -> str | None:
    """From the environment, or from the person; None: as on the board, if it has one."""
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
    example: str,
    on_board: str | None,
    file: Path | None,
    ssid: str | None,
    password: str | None,
) -> str:
    """The text for one board: from `file`, else from the board's own, else from the example.

    password: None keeps the one that is there for this network; where there is none, somebody must
    have been asked (ask_password), and then the network is an open one.
    """
    name = "settings.py on the board"
    if file:
        name = str(file)
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BoardError(SETTINGS, f"{file}: cannot be read: {error}") from None
    elif on_board is not None:
        text = on_board
    elif ssid is not None:
        text = example
    else:
        raise BoardError(
            SETTINGS, "the board has no settings.py yet: say --ssid NAME or --settings FILE"
        )
    before = check(text, name)
    if ssid is None:
        return text
    is_known = text is not example and before.SSID == ssid
    if password is None and not is_known and not sys.stdin.isatty():
        raise BoardError(
            SETTINGS,
            f"no password for {ssid}: set {PASSWORD_VARIABLE} (empty: an open network)",
        )
    text = with_value(text, "SSID", ssid)
    if password is not None or not is_known:
        text = with_value(text, "PASSWORD", password or "")
    check(text, "settings.py")
    return text
