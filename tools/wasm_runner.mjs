// Run a Python file on the WebAssembly build of MicroPython, as the unix port would.
//
//   node tools/wasm_runner.mjs .vm/npm/micropython.mjs [-X heapsize=NK] [-c COMMAND | FILE] [ARGUMENT...]
//
// tools/find_micropython.py writes .vm/wasm, which calls this. The VM has a file system of its own
// in memory: the folders on MICROPYPATH, the folder of FILE and the folders of ARGUMENTs that are
// files are copied into it at their own paths; what the program writes there is gone at its end.
// No sockets, no asyncio.run, and no sys.argv: the program finds its words in the global ARGV.
// Frames live on a stack of their own, never on the heap.
//
// Exit status: that of the Python program; 1 after an uncaught exception, whose traceback goes to stderr.

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const SUFFIXES = [".py", ".mpy", ".json", ".txt", ".bin"];
const SKIPPED_FOLDERS = ["target", "node_modules", "__pycache__"];
const PYSTACK_WORDS = 32 * 1024;

const START = `
import sys
sys.path[:] = _path
_status = 0
try:
    exec(compile(_source, _name, "exec"), {"__name__": "__main__", "ARGV": _argv})
except SystemExit as error:
    _code = error.args[0] if error.args else None
    if isinstance(_code, str):
        print(_code)
    _status = 0 if _code is None else _code if isinstance(_code, int) else 1
except BaseException as error:
    sys.print_exception(error)
    _status = 1
`;

function parseSize(text) {
  const match = /^heapsize=(\d+)([kKmM]?)$/.exec(text ?? "");
  if (!match) throw new Error(`-X ${text}: only heapsize=N, NK or NM is known here`);
  return Number(match[1]) * { "": 1, k: 1024, m: 1024 * 1024 }[match[2].toLowerCase()];
}

function copyFile(FS, file) {
  FS.mkdirTree(path.dirname(file));
  FS.writeFile(file, fs.readFileSync(file));
}

function copyFolder(FS, folder) {
  if (!fs.existsSync(folder)) return;
  FS.mkdirTree(folder);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!entry.name.startsWith(".") && !SKIPPED_FOLDERS.includes(entry.name)) copyFolder(FS, full);
    } else if (SUFFIXES.includes(path.extname(entry.name))) {
      copyFile(FS, full);
    }
  }
}

async function main() {
  const [vm, ...words] = process.argv.slice(2);
  let heapsize = 1024 * 1024;
  while (words[0] === "-X") {
    heapsize = parseSize(words[1]);
    words.splice(0, 2);
  }
  const command = words[0] === "-c";
  const argv = command ? ["-c", ...words.slice(2)] : words;
  const name = command ? "<stdin>" : words[0];
  if (name === undefined) {
    console.error("usage: wasm [-X heapsize=NK] [-c COMMAND | FILE] [ARGUMENT...]");
    process.exit(2);
  }
  const { loadMicroPython } = await import(pathToFileURL(path.resolve(vm)));
  const output = [];
  const flush = () => fs.writeSync(1, Buffer.concat(output.splice(0)));
  const stdout = (data) => {
    output.push(Buffer.from(data));
    if (data[0] === 10) flush();
  };
  const mp = await loadMicroPython({ heapsize, pystack: PYSTACK_WORDS, stdout, linebuffer: false });
  const folders = (process.env.MICROPYPATH ?? "").split(":").filter(Boolean);
  const searched = command ? ["", ...folders] : [path.dirname(name), ...folders];
  for (const folder of searched) if (folder && folder !== ".frozen") copyFolder(mp.FS, path.resolve(folder));
  for (const word of argv) if (!command && fs.statSync(word, { throwIfNoEntry: false })?.isFile()) {
    copyFolder(mp.FS, path.resolve(path.dirname(word)));
    copyFile(mp.FS, path.resolve(word));
  }
  mp.FS.mkdirTree(process.cwd());
  mp.FS.chdir(process.cwd());
  mp.runPython(`_argv = ${JSON.stringify(argv)}\n_path = ${JSON.stringify(searched)}`);
  mp.globals.set("_name", name);
  mp.globals.set("_source", command ? words[1] : fs.readFileSync(name, "utf8"));
  mp.runPython(START);
  const status = mp.globals.get("_status");
  flush();
  process.exit(status);
}

main().catch((error) => {
  console.error(String(error.stack ?? error));
  process.exit(1);
});
