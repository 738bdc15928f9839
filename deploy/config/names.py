"""What names and ARNs may look like, as the services have it."""

from __future__ import annotations

PIPELINE = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
KEY = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
"""Streams, consumers and buckets in this file: they become part of names that many services must take."""
STREAM = r"(?!\.{1,2}$)[a-zA-Z0-9_.-]{1,128}"
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
HANDLER = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"
ACTION = r"[a-z0-9-]+:[A-Z][A-Za-z0-9]*"
"""One action, without wildcards."""
ARN = r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^\s*]+(/\*)?"
STREAM_ARN = r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]+"
TABLE_STREAM_ARN = r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]+/stream/[0-9T:.-]+"
QUEUE_ARN = r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]{1,80}(\.fifo)?"
KEY_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+"
FUNCTION_ARN = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]+(:[a-zA-Z0-9_$-]+)?"
TOPIC_ARN = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]+"
USER_POOL_ARN = r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[\w-]+"
ON_FAILURE = r"queue|none|arn:aws[a-z-]*:(sqs|sns):[a-z0-9-]+:[0-9]{12}:[\w-]+|arn:aws[a-z-]*:s3:::[a-z0-9.-]+"
REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
ACCOUNT = r"[0-9]{12}"
CIDR = r"([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])"

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What CloudWatch Logs takes as a retention."""
