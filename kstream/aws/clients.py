"""AWS clients, made when they are needed.

Credentials, region and proxies are found by boto3 in its own places. An emulator on this machine needs none of that:
for a loopback endpoint without credentials in the environment, test credentials and us-east-1 stand in, so that nobody
has to export anything to talk to 127.0.0.1. Only there: what leaves this machine is never signed with made-up
credentials.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    import boto3

LOOPBACK_REGION = "us-east-1"
_TEST_CREDENTIAL = "test"
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30
_MAX_CONNECTIONS = 64

# boto3 makes clients one at a time: its session is not thread-safe. The clients are.
_lock = Lock()


def client(
    service: str, *, endpoint_url: str | None = None, region: str | None = None, attempts: int | None = None
) -> Any:
    """A boto3 client: adaptive retries, timeouts, one session for all. Thread-safe to call; the client is thread-safe.

    ``attempts``: how often at most to send a request, for whoever must know what became of each.

    Making one costs tens of milliseconds: make it once and keep it. Raises ``ConfigurationError`` if boto3 is not
    installed, if the endpoint is not a URL, or if no region or no credentials are to be found.
    """
    if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"endpoint {endpoint_url!r} is not a URL; write it like http://127.0.0.1:4566")
    local = endpoint_url is not None and is_loopback(endpoint_url)
    with _lock:
        _require_boto3()
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, NoRegionError

        arguments: dict[str, Any] = {}
        try:
            session = _session()
            if local:
                region = region or session.region_name or LOOPBACK_REGION
                if not _has_credentials_in_environment():
                    arguments.update(aws_access_key_id=_TEST_CREDENTIAL, aws_secret_access_key=_TEST_CREDENTIAL)
            elif session.get_credentials() is None:
                raise ConfigurationError(
                    f"no AWS credentials for {service}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or name an emulator on this machine as the endpoint"
                )
            config = Config(
                # A port of this machine that refuses will not open within the minute that adaptive retries can take.
                retries={"mode": "adaptive", "total_max_attempts": attempts or (3 if local else 6)},
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                max_pool_connections=_MAX_CONNECTIONS,
            )
            return session.client(service, region_name=region, endpoint_url=endpoint_url, config=config, **arguments)
        except NoRegionError as error:
            raise ConfigurationError(
                f"no AWS region for {service}: set AWS_DEFAULT_REGION, or a region in the profile; or pass one"
            ) from error
        except BotoCoreError as error:
            raise ConfigurationError(f"cannot make an AWS client for {service}: {error}") from error
        except ValueError as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"cannot make an AWS client for {service}: {error}") from error


def is_loopback(endpoint_url: str) -> bool:
    """Whether the endpoint is on this machine, by its name or address alone: nothing is looked up."""
    host = urlsplit(endpoint_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _require_boto3() -> None:
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise ConfigurationError("boto3 is not installed: pip install 'kstream[aws]'")


@cache
def _session() -> boto3.Session:
    import boto3
    import botocore.session
    from botocore.utils import parse_timestamp

    def timestamp(value: Any) -> datetime:
        # botocore builds a local time zone for every timestamp: a third of the cost of reading a small record.
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        parsed: datetime = parse_timestamp(value)
        return parsed

    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=timestamp)
    return boto3.Session(botocore_session=core)


def _has_credentials_in_environment() -> bool:
    # Not the whole chain: it would ask an instance's metadata service, and wait for it where there is none.
    from botocore.credentials import EnvProvider

    return EnvProvider().load() is not None
