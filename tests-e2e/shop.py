"""Celery workers of the shop, each a real process with the published agent inside.

The broker is where `E2E_REDIS_URL` says, for the workers and for whoever sends them tasks.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# A full host name, as nodes have it in production: it looks like an e-mail address and must not be redacted as one.
HOST = "web-1.shop.example"


class Worker:
    """A `celery worker` of its own session, with its own state folder; use it with `with`."""

    def __init__(self, name, base, credentials, work, queue="orders"):
        self.node = f"{name}@{HOST}"
        self.log = Path(work) / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("Z4J_")}
        environment.update(
            PYTHONDONTWRITEBYTECODE="1",
            # The four variables that a user sets:
            Z4J_BRAIN_URL=base,
            Z4J_TOKEN=credentials["token"],
            Z4J_PROJECT_ID="default",
            Z4J_HMAC_SECRET=credentials["hmac_secret"],
            # Only so that a test leaves nothing behind in the home folder:
            Z4J_HOME=str(Path(work) / f"{name}-home"),
        )
        celery = Path(sys.executable).parent / "celery"
        command = [celery, "-A", "celery_app", "worker", "-E", "--concurrency", "2", "-Q", queue, "-n", self.node]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--loglevel", "INFO"],
                cwd=HERE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self, text):
        return text in self.log.read_text(errors="replace")

    def kill(self):
        """SIGKILL to the main process: no goodbye of any kind."""
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.process.poll() is None:
                # A cold stop: a warm one waits for the tasks that are running, and some of ours run for minutes.
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also when a signal ends the wait: nobody else knows of the worker. Its pool processes may outlive it.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()


def end_on_signals():
    """Turns the first signal that ends a program into an exception, so that `with` blocks stop the workers."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def end(number, _frame):
        for known in numbers:
            signal.signal(known, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, end)
