#!/usr/bin/env python3
"""Takes one defence away at a time, in a copy of the tree, and looks whether a test turns red.

    weaken.py [--jobs N] [WORD...]      only those whose name holds one of the words

A suite that stays green with a defence gone proves nothing of it. The first build takes some minutes, each weakening about one
more. Prints a line each; the exit status is 1 when one was not seen. Run as root, as the tests are.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INIT, SPAWN = "SandboxInit.swift", "Spawn.swift"
# What is taken away: file of Sources/hearth-nursery, text, what stands there instead. A condition that never holds instead of nothing
# where the compiler would complain of code that is never reached.
WEAKENINGS = {
    "a session keyring of its own": (INIT, "= cn_join_session_keyring()", "= plan.fault == 77 ? cn_join_session_keyring() : 0"),
    "no nested user namespaces": (INIT, "try forbidNesting()\n", "if plan.fault == 77 { try forbidNesting() }\n"),
    "masks in /proc": (INIT, "try masks.apply(to: mount.raw, root: root)", "if root < 0 { try masks.apply(to: mount.raw, root: root) }"),
    "/proc read-only": (INIT, "CN_ATTR_RDONLY | CN_ATTR_NOSUID", "CN_ATTR_NOSUID"),
    "hidepid": (INIT, 'path("invisible")', 'path("off")'),
    "PID 1 not dumpable": (INIT, "PR_SET_DUMPABLE, 0)", "PR_SET_DUMPABLE, 1)"),
    "a cgroup namespace": (INIT, "try check(cn_unshare(CN_CLONE_NEWCGROUP), HN_STAGE_CGROUP_NAMESPACE)", ""),
    "nosuid and nodev of writable places": (INIT, "attributes: CN_ATTR_NOSUID | CN_ATTR_NODEV", "attributes: 0"),
    "mount points beneath the root, no link followed": (
        INIT, "cn_openat2(root, target, CN_O_PATH | CN_O_DIRECTORY, CN_RESOLVE_STRICT)",
        "cn_openat2(root, target, CN_O_PATH | CN_O_DIRECTORY, 0)"),
    "the bounding set": (INIT, "try Capabilities.limit(to: plan.capabilities)\n", ""),
    "no new privileges": (INIT, "try check(cn_prctl(PR_SET_NO_NEW_PRIVS, 1), HN_STAGE_CAPABILITIES)", ""),
    "Landlock": (SPAWN, "try rules.restrict()", "if flags == ~0 { try rules.restrict() }"),
    "descriptors closed": (SPAWN, "try check(cn_close_range(UInt32(fdCount), ~0, 0), HN_STAGE_DESCRIPTORS)", "_ = 0"),
    "a session of its own": (SPAWN, "_ = cn_setsid()", ""),
    "rlimits": (SPAWN, "for index in 0..<rlimitCount {\n            let limit", "for index in 0..<min(rlimitCount, 0) {\n            let limit"),
    "the user": (SPAWN, "try check(cn_setresuid(uid), HN_STAGE_CREDENTIALS)", "_ = 0"),
    "the program's capabilities": (SPAWN, "try check(cn_capset(capabilities, capabilities, capabilities), HN_STAGE_CAPABILITIES)", ""),
    "the filter": (SPAWN, "if filterCount > 0 {", "if filterCount > 65000 {"),
}


# Without a defence much that tests wait for never comes.
ENVIRONMENT = os.environ | {"HEARTH_PATIENCE": "5"}


def run(command, directory):
    return subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=ENVIRONMENT)


def red_tests(tree):
    tested = run(
        ["swift", "test", "--skip-build", "--disable-xctest", "--filter", "EscapeTests|SandboxTests",
         "--skip", "Bombs|CrashSafety"], tree)
    red = set(re.findall(r"✘ Test (\w+)\(", tested.stdout))
    if not red and tested.returncode:
        sys.exit("weaken.py: the tests did not run:\n" + tested.stdout[-2000:])
    return sorted(red)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="2")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="hearth-weaken-"))
    tree = place / "tree"
    unseen = 0
    try:
        made = run(["git", "clone", "-q", str(ROOT), str(tree)], place)
        if made.returncode:
            sys.exit(f"weaken.py: {made.stderr.strip()}")
        print("building a copy of the last commit", flush=True)
        build = ["swift", "build", "--build-tests", "-j", options.jobs]
        built = run(build, tree)
        if built.returncode:
            sys.exit("weaken.py: the tree does not build:\n" + built.stdout[-2000:])
        # A test that is red without any of this would pass for one that sees it.
        if red := red_tests(tree):
            sys.exit(f"weaken.py: red before anything is taken away: {', '.join(red)}")
        for name, (file, text, instead) in WEAKENINGS.items():
            if options.words and not any(word in name for word in options.words):
                continue
            path = tree / "Sources/hearth-nursery" / file
            source = path.read_text()
            if text not in source:
                sys.exit(f"weaken.py: {file} has no '{text}' any more: bring the table up to date")
            path.write_text(source.replace(text, instead, 1))
            built = run(build, tree)
            if built.returncode:
                sys.exit(f"weaken.py: without {name} it does not build:\n" + built.stdout[-2000:])
            red = red_tests(tree)
            unseen += not red
            print(f"without {name}: {', '.join(red) or 'NOTHING IS RED'}", flush=True)
            path.write_text(source)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(1 if unseen else 0)


if __name__ == "__main__":
    main()
