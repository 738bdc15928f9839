"""The locked door on this machine: what API Gateway does before it lets a request through, done by the local gateway.

``call``             the request as the door sees it, and its verdicts.
``door``             an operation's security requirement, checked by the locks of its schemes.
``lambda_lock``      calls a Lambda authorizer (``events``, ``identity``), reads its answer (``answers``), evaluates the
                     policy (``evaluation``), and keeps it (``kept_answers``).
``iam_lock``         verifies SigV4 (``sigv4``) against configured test credentials, and evaluates their policy.
``jwt_lock``         native JWT authorizers, Cognito's user pools.
``api_key_lock``     API keys with their usage plans (``usage_plan``).
"""
