"""The ingest API, its gateway on this machine, and its client.

``contract``   what both sides agree on: paths, limits, statuses, the shape of answers.
``gateway``    the application: a typed request in, a typed response out. ``asgi`` and ``server`` put it on a port.
``client``     ``IngestClient``; its decisions are made without I/O in ``records``, ``lanes`` and ``delivery``.
"""
