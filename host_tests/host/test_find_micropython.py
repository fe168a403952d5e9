"""tools/find_micropython.py: what is found, in which order, and what is said when nothing is."""

import json
import stat

import find_micropython
import pytest

FAKE = """#!/bin/sh
echo probe {implementation} {bits} {version}
"""


def fake(path, version="1.25.0", bits=64, implementation="micropython"):
    """A program that answers as a MicroPython of that version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = FAKE.format(
        implementation=implementation, bits=bits, version=" ".join(version.split("."))
    )
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty .vm/, an empty PATH and no wish in its environment."""
    (tmp_path / ".vm").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(find_micropython, "VM_FOLDER", tmp_path / ".vm")
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(find_micropython, "_own_python", lambda: "/not/there")
    return tmp_path


def names(vms):
    return [(vm.name, vm.version) for vm in vms]


def test_nothing_is_found_on_an_empty_machine_and_one_line_says_what_to_do(machine, capsys):
    assert find_micropython.main([]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "no MicroPython found: try python tools/find_micropython.py --install" in captured.err
    assert "set MICROPYTHON=" in captured.err


def test_the_environment_goes_before_the_path_and_that_before_vm(machine, monkeypatch):
    fake(machine / ".vm" / "mp32", "1.25.0", 32)
    fake(machine / ".vm" / "mp64", "1.25.0", 64)
    assert names(find_micropython.find()) == [("mp32", "1.25.0"), ("mp64", "1.25.0")]
    fake(machine / "bin" / "micropython", "1.26.1", 64)
    assert names(find_micropython.find()) == [("mp32", "1.25.0"), ("mp64", "1.26.1")]
    mine = fake(machine / "my own" / "micropython", "1.28.0", 64)
    monkeypatch.setenv("MICROPYTHON", f"'{mine}' -X heapsize=1M")
    assert names(find_micropython.find()) == [("mp32", "1.25.0"), ("mp64", "1.28.0")]
    assert find_micropython.find(64)[0].argv == [str(mine), "-X", "heapsize=1M"]
    assert names(find_micropython.find(32)) == [("mp32", "1.25.0")]


def test_a_wish_that_does_not_run_is_said_and_passed_over(machine, monkeypatch, capsys):
    fake(machine / ".vm" / "mp64")
    monkeypatch.setenv("MICROPYTHON", "/not/there")
    assert names(find_micropython.find()) == [("mp64", "1.25.0")]
    assert "MICROPYTHON=/not/there does not run" in capsys.readouterr().err


def test_another_python_and_a_too_old_one_are_passed_over(machine, monkeypatch):
    fake(machine / "bin" / "micropython", implementation="cpython")
    assert find_micropython.find() == []
    old = fake(machine / "bin" / "micropython", "1.22.2")
    assert find_micropython.find() == []
    monkeypatch.setenv("MICROPYTHON", str(old))
    assert names(find_micropython.find()) == [("mp64", "1.22.2")], "asked for, so it is taken"


def test_json_is_a_list_of_what_was_found(machine, capsys):
    fake(machine / ".vm" / "wasm", "1.27.0", 32)
    assert find_micropython.main(["--json"]) == 0
    (vm,) = json.loads(capsys.readouterr().out)
    assert (vm["name"], vm["word_bits"], vm["version"]) == ("wasm", 32, "1.27.0")
    assert vm["argv"] == [str(machine / ".vm" / "wasm")]
    assert find_micropython.main(["--bits", "64"]) == 1


def test_where_apt_is_missing_installing_says_so_once_for_each(machine, capsys):
    assert find_micropython.main(["--install"]) == 1
    lines = capsys.readouterr().err.splitlines()
    refused = [line.partition(": cannot be fetched: ")[0] for line in lines if "cannot" in line]
    assert refused == sorted(find_micropython.NAMES)
    assert "new64: cannot be fetched: optional: " in "\n".join(lines)
    assert lines[-1].startswith("no MicroPython found: install MicroPython 1.25")
    assert sorted(path.name for path in (machine / ".vm").iterdir()) == ["lock"]


def test_what_cannot_run_here_is_remembered_and_not_tried_again(machine, capsys):
    for name in find_micropython.NAMES:
        (machine / ".vm" / f"unusable-{name}").write_text("this machine cannot run it\n")
    assert find_micropython.main(["--install"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert find_micropython.missing_line("mp32") == "mp32: this machine cannot run it"


def test_a_program_that_is_there_is_not_fetched_again(machine, monkeypatch):
    for name, bits in (("mp32", 32), ("mp64", 64), ("new32", 32), ("new64", 64), ("wasm", 32)):
        fake(machine / ".vm" / name, bits=bits)
    monkeypatch.setattr(find_micropython, "_run", None)
    assert len(find_micropython.find(install=True)) == 5


def test_what_a_killed_run_left_is_cleared(machine):
    (machine / ".vm" / "tmp-abc" / "unpacked").mkdir(parents=True)
    (machine / ".vm" / "tmp-abc-mp32").touch()
    find_micropython.find(install=True)
    assert sorted(path.name for path in (machine / ".vm").iterdir()) == ["lock"]


def test_the_mirror_is_that_of_the_machine():
    text = (
        "'http://mirror.test/debian-security/dists/bookworm-security/InRelease' a 0 \n"
        "'http://other.test/tools/dists/stable/InRelease' a 0 \n"
        "'http://mirror.test/debian/dists/bookworm-updates/InRelease' a 0 \n"
        "'http://mirror.test/debian/dists/bookworm/InRelease' a 0 \n"
    )
    assert find_micropython.mirror_of(text) == ("http://mirror.test/debian", "bookworm")
    with pytest.raises(find_micropython.CannotInstallError):
        find_micropython.mirror_of("")


def test_the_wrapper_finds_its_files_beside_itself(machine):
    folder = machine / ".vm" / "debian-i386"
    for name in ("usr/lib/ld-linux.so.2", "usr/lib/i386-linux-gnu/libc.so.6"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    with pytest.raises(find_micropython.CannotInstallError):
        find_micropython._wrapper_text(folder)
    (folder / "usr/bin").mkdir()
    (folder / "usr/bin/micropython").touch()
    assert find_micropython._wrapper_text(folder).splitlines()[-1] == (
        'exec "${0%/*}/debian-i386/usr/lib/ld-linux.so.2"'
        ' --library-path "${0%/*}/debian-i386/usr/lib/i386-linux-gnu"'
        ' "${0%/*}/debian-i386/usr/bin/micropython" "$@"'
    )


def test_the_vms_of_this_machine_are_what_they_say():
    """The real ones: nothing to fetch here, only to look at."""
    for vm in find_micropython.find():
        assert vm.word_bits == (64 if vm.name in ("mp64", "new64") else 32)
        assert find_micropython.version_numbers(vm.version) >= find_micropython.OLDEST
