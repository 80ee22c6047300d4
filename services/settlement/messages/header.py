"""The business application header (head.001, AppHdr) of a message, checked against the message it travels with."""

from dataclasses import dataclass

from chassis.xml import Reader, namespace
from services.settlement.messages import schema

VERSIONS = ("head.001.001.01", "head.001.001.02", "head.001.001.03", "head.001.001.04")
# Correspondent banking by SWIFT, whose header says again what the message says (CBPR+, head.001 usage guideline).
CORRESPONDENT_SERVICE = "swift.cbprplus"


@dataclass(frozen=True, slots=True)
class Said:
    """The same facts as the message says them; agents are BICs, empty where it names none."""

    message: str
    message_id: str
    instructing_agent_bic: str
    instructed_agent_bic: str


def check(header: Reader, said: Said) -> str:
    """Reports what the header contradicts and breaks of its schema; the receiver's BIC, empty where it has none."""
    _compare(header, "MsgDefIdr", header.text("MsgDefIdr"), said.message)
    receiver = _bic(header, "To")
    if is_correspondent(header) or not (header.text("BizSvc") or header.find("MktPrctc")):
        if said.message_id not in header.text("BizMsgIdr"):
            _compare(header, "BizMsgIdr", header.text("BizMsgIdr"), said.message_id)
        _compare(header, "Fr", *map(without_head_office, (_bic(header, "Fr"), said.instructing_agent_bic)))
        _compare(header, "To", *map(without_head_office, (receiver, said.instructed_agent_bic)))
    message = namespace(header.element).removeprefix(schema.NAMESPACE)
    if message in VERSIONS:
        header.problems.extend(schema.problems(header.element, header.path, [message], header.problems))
    return receiver


def is_correspondent(header: Reader) -> bool:
    """Whether the message came by CBPR+, whose payments all have a UETR."""
    return header.text("BizSvc").startswith(CORRESPONDENT_SERVICE)


def without_head_office(bic: str) -> str:
    """The BIC without XXX, which names the head office: LMHFCNB0XXX and LMHFCNB0 are the same."""
    return bic.removesuffix("XXX") if len(bic) == 11 else bic


def _bic(header: Reader, role: str) -> str:
    place = f"{role}/FIId/FinInstnId"
    return header.text(f"{place}/BICFI") or header.text(f"{place}/BIC")


def _compare(header: Reader, names: str, told: str, expected: str) -> None:
    if told and expected and told != expected:
        english = (
            f"The header's {names} says {told[:40]}, the message {expected[:40]}; send the header of this message."
        )
        chinese = f"报文头 {names} 为 {told[:40]}，报文为 {expected[:40]}；请附上本报文的报文头。"
        header.report(names, "HEADER_DIFFERS", english, chinese)
