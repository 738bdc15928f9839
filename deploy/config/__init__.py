"""``pipeline.toml``: read once, checked whole, frozen."""

from __future__ import annotations

from deploy.config.consumers import Consumer, Reach, SourceKind, Use
from deploy.config.ingest import Door, Ingest
from deploy.config.loading import load, parse
from deploy.config.mapping import Delivery
from deploy.config.monitoring import Monitoring
from deploy.config.network import Network
from deploy.config.pipeline import Pipeline
from deploy.config.problems import InvalidConfiguration, Problem
from deploy.config.streams import Bucket, DataTable, Stream

__all__ = [
    "Bucket",
    "Consumer",
    "DataTable",
    "Delivery",
    "Door",
    "Ingest",
    "InvalidConfiguration",
    "Monitoring",
    "Network",
    "Pipeline",
    "Problem",
    "Reach",
    "SourceKind",
    "Stream",
    "Use",
    "load",
    "parse",
]
