#!/usr/bin/env node
// npm's solc as the command that forge and build.py expect: `--version`, or `--standard-json` on stdin.
const fs = require("fs");
const path = require("path");

const modules = path.join(__dirname, "..", "..", "node_modules");
const solc = require(path.join(modules, "solc"));

const readImport = (name) => {
  try {
    return { contents: fs.readFileSync(path.join(modules, name), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
};

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: readImport }));
}
