"""What must be seen of a real Celery worker with the published agent: one named case for each truth.

Started by `cargo xtask test` against a running brain; ends with one line `N passed, N failed`.
"""

import argparse
import contextlib
import sys
import time
import traceback

import truths_connect
import truths_fleet
import truths_tasks
from brain import Brain
from shop import Worker, end_on_signals


class Scene:
    """What the cases share: the signed-in project, the workers, and the tasks that were sent."""

    def __init__(self, options):
        self.options = options
        self.brain = Brain(options.base)
        self.project = None
        self.credentials = {}
        self.workers = {}
        self.sent = {}

    def start_worker(self, stack, name, credentials, queue):
        options = self.options
        worker = Worker(name, options.base, credentials, options.work, queue)
        self.workers[name] = stack.enter_context(worker)
        return worker


def run(cases, scene, stack):
    """Runs the cases in order; a case whose ground is missing fails by itself."""
    passed = failed = 0
    for case in cases:
        started = time.monotonic()
        try:
            case(scene, stack)
        except Exception as error:
            failed += 1
            print(f"FAILED {case.__name__}: {error or type(error).__name__}")
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"ok     {case.__name__} ({time.monotonic() - started:.1f} s)")
    return passed, failed


def main():
    end_on_signals()
    options = argparse.ArgumentParser()
    for name in ("--base", "--setup-url", "--brain-log", "--brain-data", "--work"):
        options.add_argument(name, required=True)
    options = options.parse_args()
    cases = truths_connect.CASES + truths_tasks.CASES + truths_fleet.CASES
    with contextlib.ExitStack() as stack:
        passed, failed = run(cases, Scene(options), stack)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
