"""Selling: what a subscriber asks of a BSM by the messages of service provisioning (OMA BCAST, clause 5.4.7.2).

The life of a purchase:

* A request comes from a subscriber who has proved who it is. Its requestID is looked for: one that was answered before
  gets the stored answer and does nothing again (`requests`).
* `Procedures` reads what is wanted, asks the catalogue what it is and costs, and lets `Sales` note the sale: the
  subscription with its window, the money, the tokens, and what is owed for it, all in the ledger.
* The answer says what came of each item. With it goes an `Outcome`: for what the subscriber is registered now without
  asking, and what it has left. Whoever has the routes of subscribers acts on that: an implicit registration brings the
  keys and what is owed; where the answer demands a registration, that brings them; what was left is withdrawn.
* What is owed is owed until it was handed to the queue of LTKMs, once.

An item whose time is over is purged from the books and from the registration, and no further key is sent for it; its
keys are not withdrawn, they end by their own limits. An item that the subscriber leaves has its keys withdrawn at once.
"""
