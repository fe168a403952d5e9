"""Run test files without pytest: the one runner for MicroPython, a board, and CPython.

    MICROPYPATH=lib:host_tests:.frozen .vm/mp32 host_tests/on_vm/run.py FILE...
    ... run.py -k wraps FILE      only functions with "wraps" in their name
    ... run.py -v FILE            name every function as it runs

Each file is imported and each of its functions `test_*` that takes no argument is called, in the
order in which they stand in the file. A file that says `NEEDS = ("socket", "asyncio")` at its top
is skipped where one of these modules does not exist. The heap is collected before each test, so
one test's garbage is not the next one's limit.

Prints one line and the traceback for every failure, then `N passed, N failed`.
Exit status: 0 when all passed, 1 when a test failed or a file could not be imported, 2 for wrong
usage.
"""

import gc
import sys

MICROPYTHON = sys.implementation.name == "micropython"


def show(error):
    """Print the traceback of `error` to stdout."""
    if MICROPYTHON:
        sys.print_exception(error)
    else:
        import traceback

        traceback.print_exception(error, file=sys.stdout)


def written_order(path):
    """(names of the test functions in written order, modules it needs). No name may come twice."""
    names = []
    needs = ()
    with open(path) as lines:
        for line in lines:
            if line.startswith("def test_"):
                name = line[len("def ") : line.find("(")]
                if name in names:
                    raise ValueError("two tests are called " + name)
                names.append(name)
            elif line.startswith("async def test_"):
                raise ValueError("an async test is never run: call asyncio.run() in a plain one")
            elif line.startswith("NEEDS = "):
                needs = eval(line[len("NEEDS = ") :])
    return names, needs


def first_missing(modules):
    """The first of `modules` that cannot be imported, or an empty string."""
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            return name
    return ""


class Run:
    """Counts and options of one run over several files."""

    def __init__(self, keyword, verbose):
        self.keyword = keyword
        self.verbose = verbose
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def file(self, path):
        """Import one file and run its tests."""
        slash = path.rfind("/")
        folder, stem = path[: slash + 1] or ".", path[slash + 1 : -len(".py")]
        try:
            names, needs = written_order(path)
            missing = first_missing(needs)
            if missing:
                print("skipped: %s: no module %s here" % (path, missing))
                self.skipped += len(names)
                return
            sys.path.insert(0, folder)
            try:
                module = __import__(stem)
            finally:
                sys.path.pop(0)
        except Exception as error:
            self.fail(path, "(import)", error)
            return
        for name in names:
            if self.keyword in name:
                self.one(path, name, getattr(module, name))
        del sys.modules[stem]

    def one(self, path, name, function):
        """Run one test function."""
        if self.verbose:
            print("%s::%s" % (path, name))
        gc.collect()
        try:
            function()
        except Exception as error:
            self.fail(path, name, error)
        else:
            self.passed += 1

    def fail(self, path, name, error):
        """Count and show a failure."""
        self.failed += 1
        print("FAILED %s::%s" % (path, name))
        show(error)


def main(argv):
    """Run the files named in `argv`; returns the exit status."""
    keyword = ""
    verbose = False
    paths = []
    for index, word in enumerate(argv):
        if index and argv[index - 1] == "-k":
            keyword = word
        elif word == "-k":
            pass
        elif word == "-v":
            verbose = True
        elif word in ("-h", "--help"):
            print(
                __doc__
                if not MICROPYTHON
                else "run.py [-k WORD] [-v] FILE...; see the file's head"
            )
            return 0
        elif word.endswith(".py"):
            paths.append(word)
        else:
            print("not a test file: " + word)
            return 2
    if not paths:
        print("run.py [-k WORD] [-v] FILE...")
        return 2
    run = Run(keyword, verbose)
    for path in paths:
        run.file(path)
    tail = ", %d skipped" % run.skipped if run.skipped else ""
    print("%d passed, %d failed%s" % (run.passed, run.failed, tail))
    return 1 if run.failed else 0


if __name__ == "__main__":
    # The WebAssembly port has no sys.argv: tools/wasm_runner.mjs sets ARGV.
    sys.exit(main((globals().get("ARGV") or sys.argv)[1:]))
