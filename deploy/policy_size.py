"""How long a policy is when AWS gets it, against the quotas that nobody can have raised."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kstream import ConfigurationError

if TYPE_CHECKING:
    from deploy.template import Json

ROLE_LIMIT = 10_240
"""Characters of all policies that stand in a role, white space aside (IAM User Guide, "IAM and AWS STS quotas")."""
ENDPOINT_LIMIT = 20_480
"""Characters of a VPC endpoint's policy, with white space (AWS PrivateLink Guide, "AWS PrivateLink quotas")."""

# What CloudFormation puts in, at its longest.
_PUT_IN = {"AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-1", "AWS::AccountId": "123456789012"}
_PLACEHOLDER = re.compile(r"\$\{(AWS::\w+)\}")


class PolicyTooLarge(ConfigurationError):
    """IAM, or a VPC endpoint, would not take a policy of this size."""


def require_room_in_role(policy: Json, consumer: str) -> None:
    """Raises ``PolicyTooLarge`` for the policy of the consumer's role."""
    size = len(json.dumps(_put_in(policy), separators=(",", ":")))
    if size > ROLE_LIMIT:
        raise PolicyTooLarge(
            f"consumers.{consumer}.uses: with what deploy adds, its role's policy has {size:,} characters, and IAM takes "
            f"{ROLE_LIMIT:,}: name fewer actions and ARNs (a last /* stands for all below), or divide the consumer into two"
        )


def require_room_in_endpoint(policy: Json, service: str) -> None:
    """Raises ``PolicyTooLarge`` for the policy of the endpoint of ``service``."""
    size = len(json.dumps(_put_in(policy)))
    if size > ENDPOINT_LIMIT:
        raise PolicyTooLarge(
            f"network: the policy of the VPC endpoint {service} has {size:,} characters, and VPC takes {ENDPOINT_LIMIT:,}: "
            f"name fewer {service} actions and ARNs in the uses of the consumers in the network, take vpc = false for those "
            "that need no network, or divide the pipeline into two"
        )


def _put_in(value: Any) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: _PUT_IN[found[1]], value)
    if isinstance(value, list | tuple):
        return [_put_in(one) for one in value]
    if "Fn::Sub" in value:
        return _put_in(value["Fn::Sub"])
    if "Ref" in value:
        return _PUT_IN[value["Ref"]]
    return {name: _put_in(one) for name, one in value.items()}
