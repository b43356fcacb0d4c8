"""A Celery worker with work to do, for whoever looks at the dashboard; ends when its standard input closes.

Reads one line from standard input: the JSON object `{"token", "hmac_secret"}` of a minted agent.
"""

import argparse
import json
import select
import sys

import celery_app as shop
from shop import Worker, end_on_signals

SECONDS_BETWEEN_ORDERS = 2


def main():
    end_on_signals()
    options = argparse.ArgumentParser()
    for name in ("--base", "--work"):
        options.add_argument(name, required=True)
    options = options.parse_args()
    credentials = json.loads(sys.stdin.readline())

    with Worker("shop", options.base, credentials, options.work) as worker:
        shop.charge_card.delay(120)
        shop.sync_stock.delay("sku-7")
        shop.export_report.delay(600)
        order = 1000
        while worker.process.poll() is None:
            shop.place_order.delay(order, customer_email="ada@shop.example", password="hunter2")
            order += 1
            readable, _, _ = select.select([sys.stdin], [], [], SECONDS_BETWEEN_ORDERS)
            if readable and not sys.stdin.readline():
                return 0
    print(f"the Celery worker ended by itself, its log is {worker.log}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
