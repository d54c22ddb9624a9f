"""A PostgreSQL server on loopback, of Debian's binaries, for the length of a test."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


def programs():
    """The folder of the newest PostgreSQL of Debian's packages, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


class Server:
    """A server, which can be killed and started again; `url` is the address of its database."""

    def __init__(self, folder, user):
        self.folder, self._as = folder, {"user": user} if user else {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql+psycopg://surgrad@127.0.0.1:{self.port}/postgres"
        command = (
            programs() / "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-U",
            "surgrad",
            "-E",
            "UTF8",
            "--no-sync",
        )
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as)
        self.start()

    def start(self):
        options = "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder, "-F"
        with (self.folder / "log").open("a") as log:
            command = programs() / "postgres", "-D", self.folder / "data", *options
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._as)
        end = time.monotonic() + 60
        while subprocess.run(
            (programs() / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)), capture_output=True
        ).returncode:
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)

    def stop(self):
        """End the server as if it had crashed: all of its connections break."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


@contextlib.contextmanager
def running():
    """A server; the test is skipped where there are no binaries, or nobody who may run them."""
    pytest.importorskip("psycopg")
    if programs() is None:
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql; apt-get install postgresql")
    user = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = next((one.pw_name for one in pwd.getpwall() if one.pw_name == "postgres"), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="surgrad-postgres-", dir="/tmp"))
    if user:
        shutil.chown(folder, user)
    try:
        server = Server(folder, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
