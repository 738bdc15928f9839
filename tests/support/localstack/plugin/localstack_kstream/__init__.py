"""LocalStack without Docker: loopback only, Lambda functions as processes, DynamoDB from another server.

It runs in LocalStack's own environment. The modules that know LocalStack are ``plugins``, ``executor``, ``gateway`` and
``forwarding``; the others stand on the standard library alone.
"""
