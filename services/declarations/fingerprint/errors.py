"""Refusals of the blind register."""

import grpc

from chassis.errors import DomainError


class TooManyDocuments(DomainError):
    """You have asked about as many documents as the register answers for now; ask again at {retry_time}."""

    chinese = "您查询的单证数量已达登记系统的上限，请于 {retry_time} 之后再试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class RegistrationIdTaken(DomainError):
    """{registration} stands with other content; use a new id for another registration."""

    chinese = "{registration} 已存在且内容不同，请使用新的编号。"
