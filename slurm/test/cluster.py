"""A SLURM of two nodes on this machine's loopback, in one folder, without accounting; for tests alone.

Needs munged, slurmctld and slurmd (Debian: slurm-wlm and munge), and root: SLURM starts jobs as their user. The names node1 and node2 must
be those of this machine: where they are not known they are added to /etc/hosts.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

NODES = ("node1", "node2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
_PATIENCE = 8.0  # s
_PORT = 17800  # of the controller; the nodes' follow

_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1
MinJobAge=3600
KillWait=5
JobRequeue=1
PartitionName=main Nodes=ALL Default=YES State=UP
"""


class Cluster:
    """The cluster; a context manager. Its jobs run in `environment`, submitted from `root`."""

    def __init__(self, folder: Path, root: Path, environment: dict[str, str]) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise RuntimeError(f"{', '.join(missing)}: not found; on Debian: apt-get install slurm-wlm munge")
        self.folder, self.root = folder, root
        self._waiting: dict[str, float] = {}  # since when jobs that were queued again have been seen to wait
        self.environment = os.environ | environment | {"SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> "Cluster":
        _name_nodes()
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        host = socket.gethostname()
        nodes = "".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={_PORT + k} CPUs=1 RealMemory=4000\n"
            for k, name in enumerate(NODES, start=1)
        )
        (self.folder / "slurm.conf").write_text(_CONF.format(folder=self.folder, host=host, port=_PORT) + nodes)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(64))
        key.chmod(0o600)
        where = [f"--{name}={self.folder}/munge.{end}" for name, end in (("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"))]
        self._run("munged", f"--key-file={key}", f"--seed-file={self.folder}/munge.seed", *where, "--force")
        self._run("slurmctld", "-c")
        for name in NODES:
            self.start_node(name)
        self.wait_for(lambda: self._run("sinfo", "--noheader", "--format=%T %D").split() == ["idle", "2"], "the nodes", seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._run("scancel", "--user=root", check=False)
        time.sleep(1.0)
        for path in [*self.folder.glob("*.pid")]:
            try:
                os.kill(int(path.read_text()), signal.SIGTERM)
            except (ProcessLookupError, ValueError, FileNotFoundError):
                continue

    def start_node(self, name: str) -> None:
        """Starts the daemon of a node."""
        self._run("slurmd", "-N", name)

    def kill_node(self, name: str) -> None:
        """The end of a node: its daemon, the keepers of its jobs before they can report anything, and the jobs. No job runs elsewhere."""
        keepers, tasks = [], []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes().split(b"\0")
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            if command.startswith(b"slurmstepd"):
                keepers.append(int(folder.name))
            elif f"SLURMD_NODENAME={name}".encode() in environment:
                tasks.append(int(folder.name))
        for process in [int((self.folder / f"slurmd-{name}.pid").read_text()), *keepers, *tasks]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._run("scontrol", "update", f"nodename={name}", "state=down", "reason=killed")

    def submit(self, *words: str) -> str:
        """Submits a job, and returns its number."""
        return self._run("sbatch", "--parsable", "--gres=none", "--mem=2G", "--cpus-per-task=1", *words).strip()

    def states(self, job: str) -> dict[str, str]:
        """State of a job, or of each task of an array, by its number in the array ("" for a job that is none)."""
        found = {}
        for line in self._run("scontrol", "show", "job", "-o", job).splitlines():
            values = dict(word.split("=", 1) for word in line.split() if "=" in word)
            found[values.get("ArrayTaskId", "")] = values["JobState"]
        return found

    def signal(self, job: str) -> None:
        """Sends the signal that a job gets before its time limit."""
        self._run("scancel", "--batch", "--signal=USR1", job)

    def requeues(self, job: str) -> int:
        """How often a job was queued again."""
        return int(self._run("scontrol", "show", "job", "-o", job).split("Restarts=")[1].split()[0])

    def finish(self, job: str, *, seconds: float = 600) -> dict[str, str]:
        """The states in which a job or an array ends."""
        over = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        self.wait_for(lambda: all(state in over for state in self.states(job).values()), f"job {job}", seconds=seconds)
        return self.states(job)

    def wait_for(self, condition, what: str, *, seconds: float) -> None:
        """Waits until a condition holds."""
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s; logs in {self.folder}")
            self._hasten()
            time.sleep(0.5)

    def _hasten(self) -> None:
        """Starts jobs that were queued again after a few seconds instead of two minutes; sooner, a node still refuses them."""
        for line in self._run("squeue", "--noheader", "--states=PENDING", "--format=%i %r").splitlines():
            job, reason = line.split(maxsplit=1)
            if reason != "BeginTime":
                self._waiting.pop(job, None)
            elif time.monotonic() > self._waiting.setdefault(job, time.monotonic()) + _PATIENCE:
                self._run("scontrol", "update", f"jobid={job}", "starttime=now", check=False)
                self._waiting.pop(job)  # it waits anew where it is queued once more

    def _run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(words, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout


def _name_nodes() -> None:
    for name in NODES:
        try:
            socket.gethostbyname(name)
        except OSError:
            with Path("/etc/hosts").open("a") as file:
                file.write(f"127.0.0.1 {name}\n")
