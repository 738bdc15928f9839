"""What can be told to be wrong before AWS is asked. Each rule has an id, a place in the documentation, and a test.

The configuration itself is checked when it is read; lint finds what AWS would take and what would then lose records, or
hold them up, or cost. A finding that is meant so is accepted with its reason::

    [accept]
    "KS008:audit" = "only what happens from now on matters"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.lint import actions, api, delivery, quotas, stores
from deploy.lint.finding import Finding, Remark, Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.config import Pipeline
    from deploy.stacks import Stack

_IDLE = Rule("KS016", "Accepted, but not found", "warning", lambda _: iter(()))

RULES = (
    Rule("KS001", "Maximum age above the retention", "error", delivery.age_above_retention),
    Rule("KS002", "Records too large for a batch", "error", delivery.batch_above_payload),
    Rule("KS003", "A window with a factor above 1", "error", delivery.window_with_factor),
    Rule("KS004", "A factor above 1 with aggregates", "warning", delivery.factor_with_aggregation),
    Rule("KS005", "ReportBatchItemFailures missing", "error", delivery.no_partial_answers),
    Rule("KS006", "Retries without end", "error", delivery.endless_retries),
    Rule("KS007", "The ledger forgets too soon", "error", stores.ledger_forgets),
    Rule("KS008", "Starting at LATEST", "warning", delivery.from_latest),
    Rule("KS009", "API throttle above the stream's capacity", "warning", api.throttle_above_capacity),
    Rule("KS010", "An operation without security", "error", api.open_operation),
    Rule("KS011", "Given up without a trace", "error", delivery.given_up_silently),
    Rule("KS012", "No dead letters", "warning", stores.no_dead_letters),
    Rule("KS013", "A secret in the environment", "error", stores.secret_in_environment),
    Rule("KS014", "Too many readers without fan-out", "warning", stores.too_many_readers),
    Rule("KS015", "An API key as the only lock", "warning", api.key_alone),
    _IDLE,
    Rule("KS017", "Tokens without scopes", "warning", api.no_scopes),
    Rule("KS018", "A physical name shared by environments", "error", stores.shared_names),
    Rule("KS019", "Set aside where no alarm looks", "warning", stores.set_aside_unseen),
    Rule("KS020", "An action that IAM does not know", "error", actions.unknown_action),
    Rule("KS021", "Above a default quota", "warning", quotas.above_default),
)


def lint(pipeline: Pipeline, stacks: Sequence[Stack]) -> list[Finding]:
    """All findings, in the rules' order; those that the configuration accepts carry their reason."""
    subject = Subject(pipeline, stacks)
    findings = []
    used = set()
    for rule in RULES:
        for remark in rule.check(subject):
            keys = [key for key in (f"{rule.id}:{remark.about}", rule.id) if key in pipeline.accept]
            used.update(keys[:1])
            findings.append(Finding(rule, remark, pipeline.accept[keys[0]] if keys else None))
    # What is accepted for nothing hides the next finding of its kind.
    findings += [
        Finding(_IDLE, Remark(key, f"accept.{key}", "accepts what lint does not find: take it out"))
        for key in pipeline.accept
        if key not in used
    ]
    return findings


__all__ = ["RULES", "Finding", "Rule", "lint"]
