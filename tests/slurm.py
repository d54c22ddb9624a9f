"""A Slurm cluster of one node on loopback, of Debian's binaries, for the length of a test."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

CONFIGURATION = """
ClusterName=surgrad
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=700
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=0
MessageTimeout=60
KillWait=5
SlurmdParameters=config_overrides
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE
"""


def program(name):
    """The path of a program of Slurm, or None."""
    return shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Cluster:
    """A cluster; its commands find it by `SLURM_CONF`, which is in `environment`."""

    def __init__(self, folder):
        self.folder, self._daemons = folder, []
        names = {"folder": folder, "user": pwd.getpwuid(os.getuid()).pw_name}
        text = CONFIGURATION.format(**names, controller=free_port(), node=free_port())
        (folder / "slurm.conf").write_text(text)
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        for place in ("state", "spool"):
            (folder / place).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)

    def start(self):
        places = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}
        self._start("munged", "-F", *(f"--{name}={self.folder}/munge.{ending}" for name, ending in places.items()))
        self._wait("munge answers", lambda: (self.folder / "munge.socket").exists())
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D", "-N", "localhost")
        self._wait("the node is idle", lambda: self.run("sinfo", "-h", "-o", "%T", check=False).strip() == "idle")

    def _start(self, name, *options):
        with (self.folder / f"{name}.out").open("w") as log:
            command = (program(name), *options)
            environment = os.environ | self.environment
            self._daemons.append(subprocess.Popen(command, stdout=log, stderr=log, cwd="/", env=environment))

    def _wait(self, what, happens, seconds=60):
        end = time.monotonic() + seconds
        while not happens():
            dead = any(daemon.poll() is not None for daemon in self._daemons)
            assert not dead and time.monotonic() < end, f"{what} did not come:\n{self.log()}"
            time.sleep(0.1)

    def log(self):
        return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.out"))

    def run(self, *command, check=True, **options):
        """What a command of Slurm prints."""
        environment = os.environ | self.environment
        given = {"env": environment, "text": True, "capture_output": True, "check": False} | options
        done = subprocess.run(command, **given)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self):
        """The numbers of the jobs that wait or run."""
        return self.run("squeue", "-h", "-o", "%A").split()

    def stop(self):
        """Cancel all jobs, and end the daemons."""
        with contextlib.suppress(AssertionError):
            if self.jobs():
                self.run("scancel", *self.jobs(), check=False)
                self._wait("the end of the jobs", lambda: not self.jobs())
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait(60)


@contextlib.contextmanager
def running():
    """A cluster of one node with two processors; the test is skipped where there are no binaries."""
    if absent := [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun") if program(name) is None]:
        pytest.skip(f"there is no Slurm here (no {', '.join(absent)}); apt-get install slurm-wlm")
    folder = Path(tempfile.mkdtemp(prefix="surgrad-slurm-", dir="/tmp"))
    folder.chmod(0o755)  # else `munged` opens no socket there
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
