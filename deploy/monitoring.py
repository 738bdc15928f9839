"""Monitoring's stack: the alarms, "pipeline at risk" over all that put records at risk, and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import alarms, dashboard
from deploy.naming import stack_name
from deploy.stacks import OutputOf, Stack
from deploy.template import ref, resource, template

if TYPE_CHECKING:
    from deploy.config import Pipeline
    from deploy.stacks import Parameter
    from deploy.template import Resources

AT_RISK = "PipelineAtRisk"
MOST_CHILDREN = 100
"""Alarms that one composite alarm may be made of (CloudWatch's quotas)."""


def stack(pipeline: Pipeline, before: tuple[str, ...]) -> Stack | None:
    """None if it is switched off. ``before``: full names of the stacks whose outputs it needs."""
    monitoring = pipeline.monitoring
    if not monitoring.enabled:
        return None
    made = alarms.of(pipeline)
    resources: Resources = {alarm.logical_id: alarm.resource(pipeline) for alarm in made}
    pages = [alarm for alarm in made if alarm.pages]
    if pages:
        rule = " OR ".join(f'ALARM("{alarm.name(pipeline)}")' for alarm in pages[:MOST_CHILDREN])
        resources[AT_RISK] = resource(
            "AWS::CloudWatch::CompositeAlarm",
            {
                "AlarmName": f"{pipeline.prefix}-at-risk",
                "AlarmDescription": "Records are being lost or set aside, or will be soon: see which alarm is in force.",
                "AlarmRule": rule,
                "ActionsEnabled": True,
                "AlarmActions": list(monitoring.page) or None,
                "OKActions": list(monitoring.page) or None,
            },
            depends_on=[alarm.logical_id for alarm in pages],
        )
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
            outputs={"Dashboard": ref("Dashboard")},
        ),
        parameters=parameters,
        dependencies=before,
        tags=pipeline.tags,
    )
