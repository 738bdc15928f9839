"""Monitoring's stack: the alarms, "pipeline at risk" over all that put records at risk, and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy import alarms, dashboard
from deploy.naming import stack_name
from deploy.stacks import OutputOf, Stack
from deploy.template import Outputs, Resources, ref, resource, template

if TYPE_CHECKING:
    from deploy.alarms import Alarm
    from deploy.config import Pipeline
    from deploy.stacks import Parameter

AT_RISK = "PipelineAtRisk"
MOST_CHILDREN = 100
"""Alarms that one composite alarm may be made of (CloudWatch's quotas)."""


def stack(pipeline: Pipeline, before: tuple[str, ...]) -> Stack | None:
    """None if it is switched off. ``before``: full names of the stacks whose outputs it needs."""
    monitoring = pipeline.monitoring
    if not monitoring.enabled:
        return None
    made = alarms.of(pipeline)
    resources = Resources(*({alarm.logical_id: alarm.resource(pipeline)} for alarm in made))
    resources |= _at_risk(pipeline, [alarm for alarm in made if alarm.pages])
    resources["Dashboard"] = resource(
        "AWS::CloudWatch::Dashboard",
        {"DashboardName": pipeline.prefix, "DashboardBody": dashboard.body(pipeline)},
    )
    parameters: dict[str, Parameter] = {
        alarms.mapping_parameter(name): OutputOf(stack_name(pipeline, f"consumer-{name}"), "MappingId")
        for name, consumer in pipeline.consumers.items()
        if consumer.mapping.event_count_metrics
    }
    return Stack(
        name=stack_name(pipeline, "monitoring"),
        role="monitoring",
        template=template(
            f"{pipeline.prefix}: alarms and dashboard",
            resources,
            parameters=dict.fromkeys(parameters, "The id of the consumer's event source mapping"),
            outputs=Outputs({"Dashboard": ref("Dashboard")}),
        ),
        parameters=parameters,
        dependencies=before,
        tags=pipeline.tags,
    )


def _at_risk(pipeline: Pipeline, pages: list[Alarm]) -> Resources:
    """One composite alarm; over more alarms than one can be made of, several under one."""
    parts = [pages[start : start + MOST_CHILDREN] for start in range(0, len(pages), MOST_CHILDREN)]
    if len(parts) <= 1:
        names = [alarm.name(pipeline) for alarm in pages]
        ids = [alarm.logical_id for alarm in pages]
        return Resources({AT_RISK: _composite(pipeline, "at-risk", names, ids)} if pages else {})
    resources = Resources()
    for number, part in enumerate(parts, 1):
        names, ids = [alarm.name(pipeline) for alarm in part], [alarm.logical_id for alarm in part]
        resources[f"{AT_RISK}{number}"] = _composite(pipeline, f"at-risk-{number}", names, ids, tells=False)
    names = [f"{pipeline.prefix}-at-risk-{number}" for number in range(1, len(parts) + 1)]
    resources[AT_RISK] = _composite(pipeline, "at-risk", names, list(resources))
    return resources


def _composite(
    pipeline: Pipeline, name: str, children: list[str], after: list[str], *, tells: bool = True
) -> dict[str, Any]:
    told = list(pipeline.monitoring.page) if tells else []
    return resource(
        "AWS::CloudWatch::CompositeAlarm",
        {
            "AlarmName": f"{pipeline.prefix}-{name}",
            "AlarmDescription": "Records are being lost or set aside, or will be soon: see which alarm is in force.",
            "AlarmRule": " OR ".join(f'ALARM("{child}")' for child in children),
            "ActionsEnabled": True,
            "AlarmActions": told or None,
            "OKActions": told or None,
        },
        depends_on=after,
    )
