"""boards/: the manifests obey MicroPython's rules, freeze what they should, and the constants fit.

`Manifest` is a stand-in for MicroPython's tools/manifestfile.py in freeze mode, of which it knows
include, package and module: paths are relative to the manifest that is being executed, $(NAME) is
replaced, a manifest is executed once, and a file that does not exist is an error.
"""

import ast
import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BOARDS = ROOT / "boards"
NAMES = ("ESP32_GENERIC", "ESP32_GENERIC_S3", "ESP32_GENERIC_C3", "RPI_PICO_W", "RPI_PICO2_W")
NEVER = ("boot.py", "main.py", "settings.py", "settings_example.py")


class Manifest:
    def __init__(self, variables):
        self.variables = variables
        self.files = {}
        """target on the board -> (source, optimisation level)"""
        self.visited = []

    def resolve(self, path):
        for name, value in self.variables.items():
            path = path.replace(f"$({name})", value)
        return os.path.abspath(path)

    def include(self, path):
        path = self.resolve(path)
        if os.path.isdir(path):
            path = os.path.join(path, "manifest.py")
        if path in self.visited:
            return
        self.visited.append(path)
        names = {"include": self.include, "package": self.package, "module": self.module}
        with contextlib.chdir(os.path.dirname(path)):
            exec(compile(Path(path).read_text(), path, "exec"), names)

    def package(self, package_path, files=None, base_path=".", opt=None):
        base = self.resolve(base_path)
        folder = os.path.join(base, package_path)
        assert os.path.isdir(folder), f"package {folder} does not exist"
        names = [os.path.join(package_path, name) for name in files or sorted(os.listdir(folder))]
        for name in names:
            if name.endswith(".py"):
                self.add(os.path.join(base, name), name, opt)

    def module(self, module_path, base_path=".", opt=None):
        name, extension = os.path.splitext(module_path)
        assert extension == ".py" and not os.path.dirname(name), "module must be .py, no folder"
        self.add(os.path.join(self.resolve(base_path), module_path), module_path, opt)

    def add(self, source, target, opt):
        os.stat(source)
        assert target not in self.files, f"{target} is frozen twice"
        self.files[target] = (source, opt)


def frozen(name, tmp_path):
    port = tmp_path / "port"
    (port / "boards" / name).mkdir(parents=True, exist_ok=True)
    (port / "boards" / "manifest.py").write_text("")
    if "PICO" in name:  # as in ports/rp2/boards: it adds the networking packages
        own = port / "boards" / name / "manifest.py"
        own.write_text('include("$(PORT_DIR)/boards/manifest.py")\n')
    manifest = Manifest({"PORT_DIR": str(port)})
    manifest.include(str(BOARDS / name))
    assert str(port / "boards" / "manifest.py") in manifest.visited, "MicroPython's own is missing"
    return manifest.files


def constants(path):
    """The constants of a board.py, which must hold nothing else."""
    tree = ast.parse(path.read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        assert isinstance(node, ast.Assign), f"{path}: line {node.lineno} is no constant"
        found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def test_each_board_has_its_folder_and_nothing_else():
    folders = {
        path.name for path in BOARDS.iterdir() if path.is_dir() and path.name[0] not in "._"
    }
    assert folders == set(NAMES)
    for name in NAMES:
        names = {path.name for path in (BOARDS / name).iterdir() if path.name != "__pycache__"}
        assert names == {"manifest.py", "board.py", "README.md"}


def test_each_manifest_freezes_library_firmware_and_its_board(tmp_path):
    library = {f"foca/{path.name}" for path in (ROOT / "lib/foca").glob("*.py")}
    firmware = {path.name for path in (ROOT / "firmware").glob("*.py")} - set(NEVER)
    for name in NAMES:
        files = frozen(name, tmp_path)
        assert set(files) == library | firmware | {"board.py"}
        assert files["board.py"][0] == str(BOARDS / name / "board.py")
        assert files["foca/node.py"][1] == 3


def test_what_a_person_changes_is_never_frozen(tmp_path):
    for name in NAMES:
        assert not set(frozen(name, tmp_path)) & set(NEVER)


def test_the_constants_of_each_board():
    common = constants(BOARDS / "common.py")
    for name in NAMES:
        board = constants(BOARDS / name / "board.py")
        assert set(board) == {"NAME", "PORT", "CHIP", "LED", "LED_ON", "MEMBERS_MAX"}
        assert board["NAME"] == name
        assert board["PORT"] == ("rp2" if "PICO" in name else "esp32")
        assert board["PORT"] in common["PORTS"]
        assert board["LED"] in (None, "LED")
        assert board["LED_ON"] in (0, 1)
    assert common["WATCHDOG_MS"] < common["PORTS"]["rp2"]["WATCHDOG_MS_MAX"]


def test_constants_that_stand_twice_are_equal():
    """With the firmware, the library and the fakes, which a board.py may not import."""
    from foca.aio import PORT
    from support.fake_board import PROFILES

    common = constants(BOARDS / "common.py")
    assert common["UDP_PORT"] == PORT
    for port, profile in (("rp2", "rp2"), ("esp32", "esp32")):
        assert common["PORTS"][port]["RECEIVE_QUEUE"] == PROFILES[profile].queue
        assert common["PORTS"][port]["IPV6"] == PROFILES[profile].ipv6
    sys.path.insert(0, str(ROOT / "firmware"))
    try:
        import options
        import wifi
    finally:
        sys.path.pop(0)
        sys.modules.pop("options", None)
        sys.modules.pop("wifi", None)
    for port in ("rp2", "esp32"):
        quirks = common["PORTS"][port]
        assert wifi.PORTS[port].power_save_off == quirks["POWER_SAVE_OFF"]
        assert wifi.PORTS[port].has_reconnects == quirks["RECONNECTS_BY_ITSELF"]
    assert options.DEFAULTS["PORT"] == PORT
    watchdog = (ROOT / "firmware/watchdog.py").read_text()
    assert f"TIMEOUT_MS = {common['WATCHDOG_MS']}\n" in watchdog
    flag = [line for line in watchdog.splitlines() if line.startswith("FLAG = ")][0]
    assert flag.partition(" = ")[2] in (ROOT / "firmware/boot.py").read_text()
    assert (
        "send_bytes_max=%d" % common["SEND_BYTES_MAX"] in (ROOT / "firmware/agent.py").read_text()
    )


def test_a_manifest_that_breaks_a_rule_is_noticed(tmp_path):
    bad = tmp_path / "manifest.py"
    for line in ('module("gone.py")', 'package("gone")', 'module("a/b.py")', 'require("aioble")'):
        bad.write_text(line)
        try:
            Manifest({}).include(str(bad))
        except (AssertionError, OSError, NameError):
            continue
        raise AssertionError(line)


def test_the_firmware_compiles_for_a_board_and_is_small_enough_for_it():
    import mpy

    for path in sorted((ROOT / "firmware").glob("*.py")):
        assert len(path.read_bytes()) <= 12000, path
        mpy.compile_source(path)
