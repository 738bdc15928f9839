"""The smallest consumer that does something: adds each order to its customer's total.

Run it on this machine, with everything that it needs::

    kstream dev examples/order_totals.py

and put an order, as the line that ``kstream dev`` prints does, or from a file with one order a line::

    {"customer": "c-7", "amount": 12.5}
"""

from collections import defaultdict

from kstream import Consumer, Handler, Record, Reject, on_lambda


class OrderTotals(Handler):
    """Adds each order to its customer's total."""

    def __init__(self) -> None:
        self.totals: defaultdict[str, float] = defaultdict(float)

    def process(self, record: Record) -> None:
        order = record.json()
        if order["amount"] < 0:
            raise Reject("negative amount")  # poison: it goes to the dead letters now, and is not retried
        self.totals[order["customer"]] += order["amount"]
        print(f"{order['customer']}: {self.totals[order['customer']]:.2f}")  # noqa: T201 - what it is here to show


consumer = Consumer(OrderTotals, ordering="partition_key")
lambda_handler = on_lambda(consumer)
