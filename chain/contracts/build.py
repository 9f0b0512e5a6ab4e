"""Compiles the contract with npm's solc and keeps the result in artifact.json; `--check` says whether a rebuild gives the same bytes.

Sources are named by their place below this folder and below node_modules, so that the bytes are the same in any folder.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ARTIFACT = HERE / "artifact.json"

SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "evmVersion": "prague",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
SOLC = """
const fs = require('fs');
const solc = require(process.argv[1] + '/solc');
const read = name => ({contents: fs.readFileSync(process.argv[1] + '/' + name, 'utf8')});
process.stdout.write(JSON.stringify({version: solc.version(),
  output: JSON.parse(solc.compile(fs.readFileSync(0, 'utf8'), {import: read}))}));
"""


class BuildError(Exception):
    """The compiler refused, or the committed artifact is not what the sources give."""


def compile_contract() -> dict[str, Any]:
    """Compile src/ and return the artifact: ABI, bytecodes (0x-hex), compiler version, settings, sha-256 of each source."""
    sources = {f"src/{path.name}": path.read_text() for path in sorted((HERE / "src").glob("*.sol"))}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS | {"outputSelection": {"src/MedRec.sol": {"MedRec": OUTPUTS}}},
    }
    node = subprocess.run(
        [os.environ.get("NODE", "node"), "-e", SOLC, str(ROOT / "node_modules")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    if node.returncode != 0:
        raise BuildError(node.stderr.strip())
    answer = json.loads(node.stdout)
    if errors := [e["formattedMessage"] for e in answer["output"].get("errors", []) if e["severity"] == "error"]:
        raise BuildError("\n".join(errors))
    contract = answer["output"]["contracts"]["src/MedRec.sol"]["MedRec"]
    return {
        "contract": "MedRec",
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
        "immutableReferences": contract["evm"]["deployedBytecode"]["immutableReferences"],
        "compiler": answer["version"],
        "settings": SETTINGS,
        "sources": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sources.items()},
    }


def main(arguments: list[str]) -> int:
    """Write artifact.json, or with --check compare it with a rebuild."""
    try:
        built = json.dumps(compile_contract(), indent=1) + "\n"
    except BuildError as error:
        print(f"The contract does not compile: {error}", file=sys.stderr)
        return 1
    if "--check" not in arguments:
        ARTIFACT.write_text(built)
        return 0
    if not ARTIFACT.exists() or ARTIFACT.read_text() != built:
        print(
            "artifact.json is not what the sources give: run `python chain/contracts/build.py` and commit it.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
