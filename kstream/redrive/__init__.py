"""Redriving: what was given up goes through its consumer again, or back into a stream, once.

A *source* holds *items*: kstream's dead letters, or the messages that AWS's event source mapping sends to its on-failure
destination. A *destination* takes them. The *journal* remembers, on this machine, how far each item has come, so that an
interruption at any point does not redrive anything twice.
"""
