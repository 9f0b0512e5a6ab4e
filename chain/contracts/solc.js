#!/usr/bin/env node
// npm's solc as the command that forge and build.py expect: `--version`, or `--standard-json` on stdin. forge asks for the
// version before everything: `--version` answers without loading the compiler; `--build` also names the build.
const fs = require("node:fs");
const path = require("node:path");

const modules = path.join(__dirname, "..", "..", "node_modules");
const tell = (version) =>
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);

const readImport = (name) => {
  try {
    return { contents: fs.readFileSync(path.join(modules, name), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
};

if (process.argv.includes("--version")) {
  tell(require(path.join(modules, "solc", "package.json")).version);
} else if (process.argv.includes("--build")) {
  tell(require(path.join(modules, "solc")).version());
} else {
  const solc = require(path.join(modules, "solc"));
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: readImport }));
}
