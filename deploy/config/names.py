"""What names and ARNs may look like, as the services have it."""

from __future__ import annotations

from deploy.config.fields import Shape

KEY_PATTERN = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
KEY = Shape(KEY_PATTERN, "small letters and digits, a letter first, with single hyphens between")
"""Streams, consumers and buckets in this file: they become part of names that many services must take."""
KEYS = KEY.up_to(100)
STREAM = Shape(r"(?!\.{1,2}$)[a-zA-Z0-9_.-]{1,128}", "1 to 128 letters, digits and _.-")
FAN_OUT = Shape(r"[a-zA-Z0-9_.-]{1,128}", "1 to 128 letters, digits and _.-")
TABLE = Shape(r"[a-zA-Z0-9_.-]{3,255}", "3 to 255 letters, digits and _.-")
ATTRIBUTE = Shape(r"[A-Za-z0-9_.-]{1,255}", "1 to 255 letters, digits and _.-")
# Amazon S3 User Guide, "General purpose bucket naming rules".
BUCKET = Shape(
    r"(?!xn--|sthree-|amzn-s3-demo-|[0-9.]+$)(?!.*(\.\.|\.-|-\.))(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "3 to 63 small letters, digits, hyphens and single dots, a letter or digit first and last; no IP address, and none "
    "of the beginnings and ends that S3 keeps for itself",
)
HANDLER = Shape(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "module.function, with a dot for each package above")
ACTION = Shape(r"[a-z0-9-]+:[A-Za-z][A-Za-z0-9]*", "service:Action, one, without *")
"""One action, without wildcards."""
# Lambda API Reference, "Environment".
VARIABLE = Shape(r"[a-zA-Z][a-zA-Z0-9_]+", "two or more letters, digits and _, a letter first")
# IAM takes both * and ? for wildcards.
ARN = Shape(
    r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[!-)+->@-~]+(/\*)?",
    "arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, in ASCII",
)
# It becomes part of a policy, which is ASCII and has wildcards, and of text in which CloudFormation puts ${...}.
PREFIX_PATTERN = r"[A-Za-z0-9_.!'()/=@:+,;&~ -]+"
PREFIX = Shape(f"({PREFIX_PATTERN})?", "letters, digits, blanks and _.!'()/=@:+,;&~-")
STREAM_ARN = Shape(
    r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]+", "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"
)
TABLE_STREAM_ARN = Shape(
    r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]+/stream/[0-9T:.-]+",
    "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/TIME",
)
QUEUE_ARN = Shape(
    r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]{1,80}(\.fifo)?", "arn:aws:sqs:REGION:ACCOUNT:NAME"
)
KEY_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+"
KMS_KEY = Shape(f"aws|{KEY_ARN}", "aws, or arn:aws:kms:REGION:ACCOUNT:key/ID")
FUNCTION_ARN = Shape(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]+(:[a-zA-Z0-9_$-]+)?",
    "arn:aws:lambda:REGION:ACCOUNT:function:NAME",
)
TOPIC_ARN = Shape(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]+", "arn:aws:sns:REGION:ACCOUNT:NAME")
USER_POOL_ARN = Shape(
    r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[\w-]+", "arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID"
)
ON_FAILURE = Shape(
    r"queue|none|arn:aws[a-z-]*:(sqs|sns):[a-z0-9-]+:[0-9]{12}:[\w-]+|arn:aws[a-z-]*:s3:::[a-z0-9.-]+",
    "queue, none, arn:aws:sqs:REGION:ACCOUNT:NAME, arn:aws:sns:REGION:ACCOUNT:NAME or arn:aws:s3:::BUCKET",
)
REGION = Shape(r"[a-z]{2}(-[a-z]+)+-[0-9]", "as Amazon writes it, small letters and a number behind hyphens")
ACCOUNT = Shape(r"[0-9]{12}", "twelve digits")
CIDR = Shape(r"([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])", "A.B.C.D/N, with N from 16 to 28")
VPC = Shape(r"vpc-[0-9a-f]{8,17}", "vpc- and 8 to 17 hexadecimal digits")
SUBNET = Shape(r"subnet-[0-9a-f]{8,17}", "subnet- and 8 to 17 hexadecimal digits")
ROUTE_TABLE = Shape(r"rtb-[0-9a-f]{8,17}", "rtb- and 8 to 17 hexadecimal digits")
SECURITY_GROUP = Shape(r"sg-[0-9a-f]{8,17}", "sg- and 8 to 17 hexadecimal digits")
VPC_ENDPOINT = Shape(r"vpce-[0-9a-f]{8,17}", "vpce- and 8 to 17 hexadecimal digits")

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What CloudWatch Logs takes as a retention."""
