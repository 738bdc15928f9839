"""What stands behind ``kstream.ingest.Authorizer``: who puts, and into which streams.

``arn``, ``request``         what API Gateway asks: a TOKEN or REQUEST event, as a value.
``decisions``, ``policy``    the answer: ``Grant`` or ``Deny``, and the IAM policy that says so.
``function``                 both ends together: the Lambda handler.
``tokens``, ``jwks``, ``fetching``, ``pyjwt``, ``claims``, ``jwt_authorizer``   JWTs (extra ``jwt``).
``api_keys``                 API keys, of which only hashes are kept.

Nothing here imports a web framework, boto3 or, before a token is verified, PyJWT: it travels into a Lambda package.
"""
