"""The same static binary started by Hearth, crun and runc, in turn, in one run."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import leftovers
from failure import DemoFailure, expect

TEXT = "hello from a static binary"
_FIRST_ID = 1 << 20  # of the containers' user namespace; far from the ids of Hearth's sandboxes


class Timekeeper:
    """timekeeper.py in a mount namespace of its own."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--",
                sys.executable,
                Path(__file__).with_name("timekeeper.py"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def time(self, argv):
        try:
            self._process.stdin.write(json.dumps([str(part) for part in argv]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        expect(line, "the timekeeper ended; its message is above")
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _allowed_calls(profile):
    """The names of a seccomp profile's plain rules, for a filter of about the same length."""
    names = set()
    for line in profile.read_text().splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["allow"]:
            names.update(words[1 : words.index("if")] if "if" in words else words[1:])
    return sorted(names)


def _bundle(directory, program, profile, controllers, cgroup):
    """An OCI bundle (runtime-spec 1.0.2) of what a sandbox of Hearth is: the same namespaces, mounts and ids, no
    capability, no_new_privs, a seccomp filter, and the limits for which the machine has controllers."""
    root = directory / "rootfs"
    for name in ("usr", "proc", "tmp", "dev", "app"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    shutil.copy(program, root / "app/hello")
    ids = [{"containerID": 0, "hostID": _FIRST_ID, "size": 65536}]
    resources = {}
    if "memory" in controllers:
        resources["memory"] = {"limit": 128 << 20}
    if "pids" in controllers:
        resources["pids"] = {"limit": 64}

    def mount(destination, kind, source, *options):
        return {"destination": destination, "type": kind, "source": source, "options": list(options)}

    (directory / "config.json").write_text(
        json.dumps(
            {
                "ociVersion": "1.0.2",
                "hostname": "sandbox",
                "root": {"path": "rootfs", "readonly": True},
                "process": {
                    "terminal": False,
                    "user": {"uid": 1000, "gid": 1000},
                    "cwd": "/",
                    "env": ["PATH=/usr/bin:/bin"],
                    "args": ["/app/hello", TEXT],
                    "noNewPrivileges": True,
                    "capabilities": {
                        kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")
                    },
                },
                "mounts": [
                    mount("/proc", "proc", "proc", "nosuid", "nodev", "noexec"),
                    mount("/usr", "bind", "/usr", "bind", "ro", "nosuid", "nodev"),
                    mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "mode=755", "size=64k"),
                    mount("/dev/shm", "tmpfs", "shm", "nosuid", "nodev", "noexec", "mode=1777", "size=16m"),
                    mount("/tmp", "tmpfs", "tmp", "nosuid", "nodev", "mode=1777", "size=64m"),
                ],
                "linux": {
                    "namespaces": [
                        {"type": kind} for kind in ("user", "pid", "mount", "network", "ipc", "uts", "cgroup")
                    ],
                    "uidMappings": ids,
                    "gidMappings": ids,
                    "cgroupsPath": cgroup,
                    "resources": resources,
                    "seccomp": {
                        "defaultAction": "SCMP_ACT_ERRNO",
                        "syscalls": [{"names": _allowed_calls(profile), "action": "SCMP_ACT_ALLOW"}],
                    },
                },
            }
        )
    )


class Subject:
    """One way to start the binary, and its times in microseconds."""

    def __init__(self, name, measure):
        self.name = name
        self.times = []
        self._measure = measure

    def take(self):
        self.times.append(self._measure())

    def row(self):
        return self.name, statistics.median(self.times), min(self.times), max(self.times), len(self.times)


def compare(agent, example, controllers, profile, rounds, say):
    """Measures all subjects in turn, `rounds` times after one that is thrown away. Rows for a table; what cannot run
    is said and left out.

    example: the registered function `hello`, for the start that the agent itself measures."""
    program = Path(example.code) / "hello"
    image = agent.directory / "image"
    (image / "bin").mkdir(parents=True)
    shutil.copy(program, image / "bin/hello")
    agent.call("image", "import", "demo-hello", image, "--replace")
    keeper = Timekeeper({"HEARTH_SOCKET": str(agent.socket)})

    def whole_process(*argv, says=TEXT + "\n"):
        def measure():
            result = keeper.time(argv)
            if result["status"] != 0 or not result["out"].startswith(says):
                said = re.sub(r"\s+", " ", result["err"] or result["out"]).strip()
                raise DemoFailure(f"status {result['status']}: {said[:200] or 'it said nothing'}")
            return result["us"]

        return measure

    def cold():
        # A new generation: what was kept of the old one is not used any more.
        example.put(agent)
        answer = agent.json("invoke", "hello")
        expect(
            answer["outcome"] == "ok" and answer["start"] == "cold",
            "a new generation of hello did not start cold",
            json.dumps(answer),
        )
        return answer["timing_us"]["total"]

    def warm():
        answer = agent.json("invoke", "hello")
        expect(answer["outcome"] == "ok" and answer["start"] == "warm", "hello did not start warm", json.dumps(answer))
        return answer["timing_us"]["total"]

    subjects = [
        Subject("hearth: invoke hello, warm (the agent's total)", warm),
        Subject("hearth: invoke hello, cold (the agent's total)", cold),
        Subject(
            "hearth run -- hello (whole process)",
            whole_process(agent.binaries / "hearth", "run", "--image", "demo-hello", "--", "/bin/hello", TEXT),
        ),
        Subject(
            "hearth --help (of the above, the command's own start)",
            whole_process(agent.binaries / "hearth", "--help", says="OVERVIEW"),
        ),
    ]
    groups = set()
    try:
        for name in ("crun", "runc"):
            runtime = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            if runtime is None:
                say(f"{name} is not installed: left out")
                continue
            directory = agent.directory / name
            group = f"hearth-demo-{name}.{os.getpid()}"
            groups.add(group)
            agent.cgroup_names.add(group)
            _bundle(directory, program, profile, controllers, f"/{group}/container")
            subjects.append(
                Subject(
                    f"{name} run hello (whole process)",
                    whole_process(
                        runtime,
                        "--root",
                        directory / "state",
                        "run",
                        "--bundle",
                        directory,
                        f"hearth-demo-{os.getpid()}",
                    ),
                )
            )
        for subject in list(subjects):
            try:
                subject.take()
                subject.times.clear()
            except DemoFailure as failure:
                if subject.name.startswith("hearth"):
                    raise
                say(f"{subject.name} is left out, {failure}")
                subjects.remove(subject)
        for _ in range(rounds):
            for subject in subjects[::-1]:
                subject.take()
    finally:
        keeper.close()
        # The runtimes remove a container's cgroup, and leave the one above that they made for it.
        leftovers.remove_cgroups(groups)
    return [subject.row() for subject in subjects]
