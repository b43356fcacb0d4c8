"""The Celery application that the end-to-end checks observe.

It is what a user would write: importing `z4j_celery` and setting four variables is all that connects it.
The broker's address comes from `E2E_REDIS_URL`.
"""

import os
import time

import z4j_celery  # noqa: F401  importing it starts the agent inside the worker
from celery import Celery

REDIS_URL = os.environ["E2E_REDIS_URL"]

app = Celery("shop", broker=REDIS_URL, backend=REDIS_URL)
app.conf.update(
    # The agent reads a failed task's arguments back from the result backend to run it again.
    result_extended=True,
    task_default_queue="orders",
    task_send_sent_event=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="shop.tasks.place_order")
def place_order(order_id, *, customer_email=None, password=None):
    """Succeed, with arguments of which two must never be stored as they are."""
    return {"order_id": order_id, "accepted": True}


def _charge(amount):
    """One more frame, so that the traceback has a path worth reading."""
    raise ValueError(f"card declined for {amount}")


@app.task(name="shop.tasks.charge_card")
def charge_card(amount):
    """Fail after a measurable time, from a nested call."""
    time.sleep(0.2)
    return _charge(amount)


@app.task(name="shop.tasks.sync_stock", bind=True, max_retries=3)
def sync_stock(self, sku):
    """Ask to be tried again twice, then succeed."""
    if self.request.retries < 2:
        raise self.retry(exc=ConnectionError("warehouse busy"), countdown=1)
    return sku


@app.task(name="shop.tasks.export_report")
def export_report(seconds):
    """Run until somebody cancels it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)
    return "exported"


@app.task(name="shop.tasks.ping")
def ping(number):
    """Return at once."""
    return number
