"""The example functions: read from examples.json, compiled where they are in C, registered, invoked."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from failure import DemoFailure, expect


@dataclass
class Example:
    """One function of the catalogue, ready to be registered."""

    name: str
    about: str
    runtime: str
    code: Path | None
    arguments: list
    memory: int
    timeout: float
    payload: bytes
    wanted: dict

    def put(self, agent):
        agent.call("function", "put", self.name, *self.arguments)


def licences():
    """The texts under /usr/share/common-licenses, one after another; links to others of them left out."""
    files = sorted(
        path for path in Path("/usr/share/common-licenses").iterdir() if path.is_file() and not path.is_symlink()
    )
    expect(files, "/usr/share/common-licenses has no files; it belongs to Debian's base-files")
    return files, b"".join(path.read_bytes() for path in files)


def _payload(entry, examples):
    source = entry.get("payload", {})
    if "files" in source:
        return licences()[1]
    if "file" in source:
        return (examples / source["file"]).read_bytes()
    if "text" in source:
        return source["text"].encode()
    if "json" in source:
        return json.dumps(source["json"]).encode()
    if "command" in source:
        program, *arguments = source["command"]
        return subprocess.run(
            [sys.executable if program == "python3" else program, *arguments],
            cwd=examples,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    return b""


def seconds(text):
    for unit, factor in (("ms", 0.001), ("s", 1), ("m", 60)):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text)


def load(share, directory, names, speed):
    """The functions `names`, in that order. C code is compiled in a copy, so that the tree stays as it is.

    speed: time limits are stretched by it, but for functions that must run into theirs."""
    shutil.copytree(
        share / "examples", directory / "rootfs-tools/examples", ignore=shutil.ignore_patterns("bin", "__pycache__")
    )
    shutil.copytree(share / "runtimes/native", directory / "rootfs-tools/runtimes/native")
    examples = directory / "rootfs-tools/examples"
    entries = {entry["name"]: entry for entry in json.loads((examples / "examples.json").read_text())["examples"]}
    built, found = set(), []
    for name in names:
        expect(name in entries, f"examples.json has no function '{name}'")
        entry = entries[name]
        build = tuple(entry.get("build", ()))
        if build and build not in built:
            result = subprocess.run(build, cwd=examples, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if result.returncode != 0:
                raise DemoFailure(f"'{' '.join(build)}' failed; make deps installs what it needs", result.stderr)
            built.add(build)
        limit = seconds(entry["timeout"])
        if entry["expect"]["outcome"] != "timeout":
            limit *= speed
        arguments = ["--runtime", entry["runtime"], "--memory", entry["memory"], "--timeout", f"{limit:g}s"]
        code = examples / entry["code"] if "code" in entry else None
        if code:
            arguments += ["--code", code]
        program = entry.get("argv")
        if entry["runtime"] == "native" and not program:
            program = [f"/var/task/{entry['handler']}"]
        if program:
            arguments += ["--", *program]
        else:
            arguments += ["--handler", entry["handler"]]
        found.append(
            Example(
                name,
                entry["about"],
                entry["runtime"],
                code,
                arguments,
                int(entry["memory"].rstrip("M")) << 20,
                limit,
                _payload(entry, examples),
                entry["expect"],
            )
        )
    return found
