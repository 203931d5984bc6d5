"""Compiles the contracts into what the repository keeps, or checks that it keeps exactly that.

    build.py           writes contracts/artifacts and Sources/NameRegistry/Contracts/ContractCode.swift
    build.py --check   compares byte for byte, and the storage layout with the protocol's
"""

import argparse
import json
import pathlib
import sys

import vyper
from vyper.compiler import compile_code
from vyper.compiler.input_bundle import JSONInput
from vyper.compiler.settings import Settings
from vyper.utils import keccak256

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONTRACTS = ROOT / "contracts"
ARTIFACTS = CONTRACTS / "artifacts"
SWIFT = ROOT / "Sources" / "NameRegistry" / "Contracts" / "ContractCode.swift"

COMPILER = "0.4.3"
# The second is for Clique networks, whose rules end with London.
EVM_VERSIONS = ("cancun", "london")
NAMES = ("EternalStorage", "Council", "JnsLogic")

# Names protocol, "Contracts": proofs depend on it.
STORAGE_LAYOUT = {
    "logic": (0, "address"),
    "bool_of": (1, "HashMap[bytes32, bool]"),
    "uint_of": (2, "HashMap[bytes32, uint256]"),
    "int_of": (3, "HashMap[bytes32, int256]"),
    "address_of": (4, "HashMap[bytes32, address]"),
    "bytes32_of": (5, "HashMap[bytes32, bytes32]"),
    "bytes_of": (6, "HashMap[bytes32, Bytes[1024]]"),
    "string_of": (7, "HashMap[bytes32, String[256]]"),
}

# EIP-170, EIP-3860.
MAX_CODE = 24_576
MAX_INIT_CODE = 49_152

# ERC-5202, version 0: what marks a blueprint.
PREAMBLE = bytes.fromhex("fe7100")


def blueprint_deploy_code(init_code: bytes) -> bytes:
    """Code whose deployment leaves the preamble and `init_code` as the code of an account."""
    code = PREAMBLE + init_code
    return bytes.fromhex("61") + len(code).to_bytes(2, "big") + bytes.fromhex("3d81600a3d39f3") + code


def layout_file() -> JSONInput:
    path = pathlib.Path("EternalStorage.layout.json")
    text = (CONTRACTS / path).read_text()
    return JSONInput(contents=text, source_id=-1, path=path, resolved_path=path, data=json.loads(text))


def compiled(name: str, evm_version: str) -> dict:
    source = (CONTRACTS / f"{name}.vy").read_text()
    options = {}
    if name == "EternalStorage":
        # Before Cancun the compiler keeps slot 0 for a lock, even in a contract that has none.
        options["storage_layout_override"] = layout_file()
    output = compile_code(
        source,
        contract_path=f"{name}.vy",
        output_formats=["abi", "bytecode", "bytecode_runtime", "layout", "method_identifiers"],
        settings=Settings(evm_version=evm_version),
        **options,
    )
    init_code = bytes.fromhex(output["bytecode"].removeprefix("0x"))
    runtime = bytes.fromhex(output["bytecode_runtime"].removeprefix("0x"))
    result = {
        "contract": name,
        "compiler": f"vyper {COMPILER}",
        "evmVersion": evm_version,
        "abi": output["abi"],
        "methods": output["method_identifiers"],
        "initCode": "0x" + init_code.hex(),
        # What the constructor returns, before it appends the immutable values.
        "runtimeCode": "0x" + runtime.hex(),
        "initCodeHash": "0x" + keccak256(init_code).hex(),
        "runtimeCodeHash": "0x" + keccak256(runtime).hex(),
        "storageLayout": output["layout"].get("storage_layout", {}),
        "codeLayout": output["layout"].get("code_layout", {}),
    }
    if name == "EternalStorage":
        result["blueprintDeployCode"] = "0x" + blueprint_deploy_code(init_code).hex()
        result["blueprintCodeHash"] = "0x" + keccak256(PREAMBLE + init_code).hex()
    return result


def swift_constant(name: str, documentation: str, value: str) -> str:
    return f'        /// {documentation}\n        public static let {name} = "{value.removeprefix("0x")}"\n'


def swift_source(artifacts: dict) -> str:
    parts = [
        "// Made by contracts/build from the Vyper sources; do not edit.\n",
        "// swift-format-ignore-file\n\n",
        "/// The compiled contracts, in hexadecimal without `0x`: names protocol, \"Contracts\".\n",
        "///\n",
        f"/// Compiled with Vyper {COMPILER}. Constructor arguments are ABI-encoded behind the init code.\n",
        "public enum ContractCode {\n",
    ]
    for number, evm_version in enumerate(EVM_VERSIONS):
        uses = "For chains with the rules of Cancun or later." if number == 0 else (
            "For chains with the rules of London, which Clique networks have."
        )
        parts += [f"    /// {uses}\n", f"    public enum {evm_version.capitalize()} {{\n"]
        council = artifacts["Council", evm_version]
        logic = artifacts["JnsLogic", evm_version]
        store = artifacts["EternalStorage", evm_version]
        parts.append("\n".join([
            swift_constant(
                "councilInitCode",
                "Init code of the council; arguments `(total, threshold, minDuration, maxDuration, execDelay, grace, "
                "cooldown, priority)`.",
                council["initCode"],
            ),
            swift_constant(
                "councilRuntimeCode",
                "Code of the council before the eight arguments, one word each.",
                council["runtimeCode"],
            ),
            swift_constant(
                "logicInitCode",
                "Init code of the registrar logic; arguments `(council, store)`.",
                logic["initCode"],
            ),
            swift_constant(
                "logicRuntimeCode",
                "Code of the registrar logic before the council's and the store's address, one word each.",
                logic["runtimeCode"],
            ),
            swift_constant(
                "storageInitCode",
                "Init code of the eternal storage; argument `(logic)`.",
                store["initCode"],
            ),
            swift_constant(
                "storageRuntimeCode",
                "Code of the eternal storage before the owner's address, one word.",
                store["runtimeCode"],
            ),
            swift_constant(
                "storageBlueprintDeployCode",
                "A transaction without receiver and with this as its data makes the blueprint of the eternal storage.",
                store["blueprintDeployCode"],
            ),
            swift_constant(
                "storageBlueprintCodeHash",
                "Keccak-256 of the blueprint's code: the `key` of a proposal that adds a storage.",
                store["blueprintCodeHash"],
            ),
        ]))
        parts.append("    }\n" if number else "    }\n\n")
    parts.append("}\n")
    return "".join(parts)


def layout_faults(artifact: dict) -> list[str]:
    found = {name: (entry["slot"], entry["type"]) for name, entry in artifact["storageLayout"].items()}
    if found == STORAGE_LAYOUT:
        return []
    return [f"the storage layout of EternalStorage ({artifact['evmVersion']}) is {found}, not {STORAGE_LAYOUT}"]


def size_faults(artifact: dict) -> list[str]:
    faults = []
    immutables = sum(entry["length"] for entry in artifact["codeLayout"].values())
    size = len(artifact["runtimeCode"]) // 2 - 1 + immutables
    if size > MAX_CODE:
        faults.append(f"the code of {artifact['contract']} has {size} bytes, more than {MAX_CODE}")
    if len(artifact["initCode"]) // 2 - 1 > MAX_INIT_CODE:
        faults.append(f"the init code of {artifact['contract']} is longer than {MAX_INIT_CODE} bytes")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the contracts of the name service.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if what is kept differs")
    check = parser.parse_args().check
    if vyper.__version__.split("+")[0] != COMPILER:
        print(f"Vyper {COMPILER} is needed, this is {vyper.__version__}", file=sys.stderr)
        return 1
    artifacts = {(name, evm): compiled(name, evm) for evm in EVM_VERSIONS for name in NAMES}
    faults = []
    for artifact in artifacts.values():
        faults += size_faults(artifact)
        if artifact["contract"] == "EternalStorage":
            faults += layout_faults(artifact)
    files = {
        ARTIFACTS / f"{name}.{evm}.json": json.dumps(artifact, indent=1) + "\n"
        for (name, evm), artifact in artifacts.items()
    }
    files[SWIFT] = swift_source(artifacts)
    for path, text in files.items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            faults.append(f"{path.relative_to(ROOT)} is not what the sources compile to; run contracts/build")
    if check:
        stale = {path for path in ARTIFACTS.glob("*.json")} - set(files)
        faults += [f"{path.relative_to(ROOT)} belongs to no contract" for path in stale]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
