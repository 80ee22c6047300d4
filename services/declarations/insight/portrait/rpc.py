"""Portraits on the wire."""

import datetime
import json

from aval.declarations.v1 import insight_pb2

from chassis import money, records, rpc
from chassis.money import Money
from services.declarations.insight.portrait.model import Factor, Part, assess
from services.declarations.insight.portrait.store import Stored


def to_proto(stored: Stored) -> insight_pb2.RiskPortrait:
    """Returns the portrait with its factors, computed again from the stored inputs and day."""
    on = datetime.date.fromisoformat(stored.assess_date)
    portrait = assess(stored.inputs, on)
    message = insight_pb2.RiskPortrait(
        name=f"{stored.enterprise}/riskPortrait",
        enterprise=stored.enterprise,
        score=stored.score,
        score_max=portrait.score_max,
        factors=[_factor(factor) for factor in portrait.factors],
        assess_date=rpc.date(on),
        revision=stored.revision,
        inputs_json=json.dumps(records.to_json(stored.inputs), ensure_ascii=False),
    )
    message.assess_time.FromMicroseconds(stored.assess_us)
    message.as_of_time.FromMicroseconds(stored.as_of_us)
    return message


def _factor(factor: Factor) -> insight_pb2.RiskFactor:
    message = insight_pb2.RiskFactor(
        code=factor.code,
        weight=factor.weight,
        points=factor.points,
        explanation=factor.english,
        explanation_chinese=factor.chinese,
        evidence=[_evidence(part) for part in factor.evidence],
    )
    if factor.value is not None:
        message.value.CopyFrom(rpc.decimal(factor.value))
    return message


def _evidence(part: Part) -> insight_pb2.FactorEvidence:
    message = insight_pb2.FactorEvidence(name=part.name, declarations=part.declarations)
    if part.currency:
        message.value.CopyFrom(money.to_proto(Money(part.currency, part.minor_units)))
    return message
