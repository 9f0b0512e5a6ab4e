"""Compile the contract and its successor with npm's solc into artifact.json and successor.json.

`--check` tells whether a rebuild gives the same.

Sources are named by their place below this folder and below node_modules, and the bytecode has no metadata,
so that the bytes are the same in any folder. Needs Node: the one that NODE names, or the first of the PATH.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ARTIFACTS = {"artifact.json": "src/MedRec.sol", "successor.json": "successor/MedRecSuccessor.sol"}

SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "evmVersion": "prague",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "storageLayout",
]
CODE_LIMIT = 24_576  # bytes, EIP-170


class BuildError(Exception):
    """The compiler refused, or what it made is not what the portal relies on."""


def run_solc(argument: str, stdin: str = "") -> str:
    """Return what the compiler answers. Raises BuildError when it does not run."""
    command = [os.environ.get("NODE") or "node", str(HERE / "solc.js"), argument]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=True)  # noqa: S603
    except OSError as error:
        raise BuildError(f"Node does not run: {error}") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(error.stderr.strip()) from error
    return done.stdout


def compile_contract(main: str = "src/MedRec.sol") -> dict[str, Any]:
    """Compile a contract into ABI, bytecodes (0x-hex), storage, compiler, settings, sources' sha-256.

    `main` is its source file. Raises BuildError.
    """
    name = Path(main).stem
    files = [*sorted((HERE / "src").glob("*.sol")), *([] if main.startswith("src/") else [HERE / main])]
    sources = {str(path.relative_to(HERE)): path.read_text() for path in files}
    request = {
        "language": "Solidity",
        "sources": {place: {"content": text} for place, text in sources.items()},
        "settings": SETTINGS | {"outputSelection": {main: {name: OUTPUTS}}},
    }
    output = json.loads(run_solc("--standard-json", json.dumps(request)))
    if complaints := [error["formattedMessage"] for error in output.get("errors", [])]:
        raise BuildError("\n".join(complaints))
    contract = output["contracts"][main][name]
    deployed = contract["evm"]["deployedBytecode"]
    artifact = {
        "contract": name,
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "immutableReferences": deployed["immutableReferences"],
        "storage": {entry["label"]: int(entry["slot"]) for entry in contract["storageLayout"]["storage"]},
        "compiler": run_solc("--build").split("Version: ")[1].strip(),
        "settings": SETTINGS,
        "sources": {place: hashlib.sha256(text.encode()).hexdigest() for place, text in sources.items()},
    }
    check_artifact(artifact, sources["src/ActTypes.sol"])
    return artifact


def check_artifact(artifact: dict[str, Any], act_types: str) -> None:
    """Raise BuildError unless each act has its EIP-712 type, an event has its fields, and the code fits."""
    functions = [e for e in artifact["abi"] if e["type"] == "function" and e["inputs"]]
    acts = [e["inputs"][0] for e in functions if e["inputs"][0]["type"] == "tuple"]
    events = [{part["name"] for part in e["inputs"]} for e in artifact["abi"] if e["type"] == "event"]
    for act in acts:
        kind = act["internalType"].removeprefix("struct IMedRec.")
        members = ",".join(f"{part['type']} {part['name']}" for part in act["components"])
        if f'"{kind}({members})"' not in act_types:
            raise BuildError(f"ActTypes.sol lacks {kind}({members})")
        if not any({part["name"] for part in act["components"]} <= event for event in events):
            raise BuildError(f"no event carries every field of {kind}")
    if (size := len(artifact["deployedBytecode"]) // 2 - 1) > CODE_LIMIT:
        raise BuildError(f"the code has {size:,} bytes, over the {CODE_LIMIT:,} that a contract may have")


def main(arguments: list[str]) -> int:
    """Write the artifacts, or with --check compare them with a rebuild."""
    try:
        built = {
            name: json.dumps(compile_contract(main), indent=1) + "\n" for name, main in ARTIFACTS.items()
        }
    except BuildError as error:
        print(f"The contract cannot be built: {error}", file=sys.stderr)
        return 1
    for name, text in built.items():
        path = HERE / name
        if "--check" not in arguments:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{name} is not what its sources give: run chain/contracts/build.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
