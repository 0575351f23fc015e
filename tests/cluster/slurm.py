"""A SLURM cluster of one node with two pretended GPUs, for tests: real daemons, real scheduling.

Needs root (slurmd does) and Debian's slurm-wlm and munge. Two character devices stand for the
GPUs: SLURM assigns them and sets CUDA_VISIBLE_DEVICES, the cells compute on the processor.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel")
CONF = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
ReturnToService=2
MinJobAge=300
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=1
NodeName={host} CPUs={cpus} RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
GRES = "NodeName={host} Name=gpu File=/dev/rethink-gpu[0-1]\n"


def missing() -> str | None:
    """Return why no cluster can be brought up here, or None."""
    if os.geteuid() != 0:
        return "slurmd needs root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt install slurm-wlm munge)"
    return None


class Cluster:
    """The daemons, with all their state in one folder; use it as a context manager."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.processes: list[subprocess.Popen] = []
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self.programs = folder / "programs"

    def __enter__(self) -> Self:
        self._write_configuration()
        for command in (
            [
                "munged",
                "--foreground",
                "--force",
                f"--socket={self.folder}/munge.socket",
                f"--key-file={self.folder}/munge.key",
                f"--pid-file={self.folder}/munged.pid",
                f"--log-file={self.folder}/munged.log",
                f"--seed-file={self.folder}/munge.seed",
            ],
            ["slurmctld", "-D", "-i"],
            ["slurmd", "-D", "-N", self.host],
        ):
            self._start(command)
            time.sleep(1)
        self._wait_until_idle()
        return self

    def __exit__(self, *exception: object) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        for device in self._devices():
            device.unlink(missing_ok=True)

    def run(self, *command: str) -> str:
        """Run one of SLURM's programs and return what it printed."""
        return subprocess.run(
            command,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def _devices(self) -> list[Path]:
        return [Path(f"/dev/rethink-gpu{i}") for i in range(2)]

    def _write_configuration(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        for minor, device in enumerate(self._devices()):
            device.unlink(missing_ok=True)
            os.mknod(device, 0o20666, os.makedev(1, 3 + 2 * minor))
        values = {"host": self.host, "folder": self.folder, "cpus": os.cpu_count()}
        (self.folder / "slurm.conf").write_text(CONF.format(**values))
        (self.folder / "gres.conf").write_text(GRES.format(**values))
        self.programs.mkdir()
        wrapper = self.programs / "srun"
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        wrapper.chmod(0o755)

    def _start(self, command: list[str]) -> None:
        log = open(self.folder / f"{command[0]}.out", "wb")  # noqa: SIM115 (the daemon's own)
        self.processes.append(
            subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        )
        log.close()

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if "idle" in self.run("sinfo", "-h", "-o", "%T"):
                    return
            except subprocess.CalledProcessError:
                pass
            time.sleep(1)
        logs = "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )
        raise RuntimeError(f"the node did not come up within a minute\n{logs}")
