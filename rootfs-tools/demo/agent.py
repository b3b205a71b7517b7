"""An agent of the demonstration's own: started in a temporary directory, asked through the command line, stopped."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import leftovers
from failure import DemoFailure, expect


class Agent:
    """hearthd in a directory of its own. `speed` stretches every time limit for a machine that is slow throughout."""

    def __init__(self, binaries, share, speed, settings=None):
        # Short: a socket's path has 107 bytes. Traversable: a sandbox's own root must reach what lies below.
        self.directory = Path(tempfile.mkdtemp(prefix="hearth-demo.", dir="/tmp"))
        self.directory.chmod(0o711)
        self.binaries = binaries
        self.share = share
        self.speed = speed
        # Lines of its configuration, in place of those of the first part: what starts there is to be what was asked for.
        self.settings = "prediction: off\nfreeze_after: 30s\n" if settings is None else settings
        self.socket = self.directory / "agent.sock"
        self.log = self.directory / "agent.log"
        self.process = None
        self.cgroup_names = set()

    def start(self):
        configuration = self.directory / "hearth.yaml"
        configuration.write_text(
            f"node_name: demonstration\ninit_timeout: {10 * self.speed}s\nnursery_linger: 5s\n{self.settings}"
        )
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [
                    self.binaries / "hearthd",
                    "--config",
                    configuration,
                    "--socket",
                    self.socket,
                    "--state",
                    self.directory / "state",
                    "--share",
                    self.share,
                    "--nursery",
                    self.binaries / "hearth-nursery",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is ours to hear: it stops the agent in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + 20 * self.speed
        while not (self.socket.exists() and self.call("ps", "--json", check=False).returncode == 0):
            if self.process.poll() is not None:
                raise DemoFailure(
                    f"hearthd ended at its start with status {self.process.returncode}", self.last_words()
                )
            if time.monotonic() > deadline:
                raise DemoFailure(f"hearthd did not open its socket within {20 * self.speed} s", self.last_words())
            time.sleep(0.05)
        for pid, name in leftovers.processes():
            if name == "hearth-nursery":
                self.cgroup_names.add(leftovers.cgroup_of(pid).parent.name)
        expect(self.cgroup_names, "hearthd answers, but no hearth-nursery is running", self.last_words())

    def call(self, *arguments, stdin=b"", check=True, patience=60):
        """One `hearth` command. Its output as bytes; a failure of the command is one of the demonstration."""
        command = [self.binaries / "hearth", arguments[0], *arguments[1:]]
        try:
            result = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                timeout=patience * self.speed,
                env={**os.environ, "HEARTH_SOCKET": str(self.socket)},
            )
        except subprocess.TimeoutExpired:
            raise DemoFailure(
                f"'hearth {' '.join(map(str, arguments))}' gave no answer in {patience * self.speed} s",
                self.last_words(),
            )
        if check and result.returncode != 0:
            raise DemoFailure(
                f"'hearth {' '.join(map(str, arguments))}' left with status {result.returncode}",
                result.stderr.decode(errors="replace") + self.last_words(),
            )
        return result

    def json(self, *arguments):
        return json.loads(self.call(*arguments, "--json").stdout)

    def last_words(self):
        """The end of the agent's log, for an error's explanation."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-15:]
        except OSError:
            return ""
        return "the agent's log ends with:\n" + "\n".join(f"  {line}" for line in lines)

    def stop(self):
        """Asks hearthd to stop, as a service manager does, and expects it to do so in order."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=20 * self.speed)
        except subprocess.TimeoutExpired:
            raise DemoFailure(f"hearthd did not stop within {20 * self.speed} s of SIGTERM", self.last_words())
        self.process = None
        if status != 0:
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            raise DemoFailure(f"hearthd ended {how} when it was asked to stop", self.last_words())

    def clean_up(self):
        """Leaves nothing, whatever has happened. After an orderly stop there is only the directory."""
        leftovers.kill_all()
        leftovers.remove_cgroups(self.cgroup_names)
        shutil.rmtree(self.directory, ignore_errors=True)
