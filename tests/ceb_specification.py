"""Any message that customs' own schemas allow, with values that its specification's text allows too."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from services.declarations.customs.code_tables import code_table

XS = "{http://www.w3.org/2001/XMLSchema}"
CEB = "http://www.chinaport.gov.cn/ceb"
SIGNATURE, TRANSFER = "ds:Signature", "BaseTransfer"
# As often as a schema lets a document or line stand, but no more than this.
REPEATED_MOST = 3
CURRENCIES = sorted(row["code"] for row in code_table("customs_currencies").rows())
COUNTRIES = sorted(row["code"] for row in code_table("customs_countries").rows())
UNITS = sorted(row["code"] for row in code_table("units").rows() if len(row["code"]) == len("011"))
FLAGS: Mapping[str, str] = {"603": "E", "621": "I", "213": "I"}
TRADE_MODES: Mapping[str, tuple[str, ...]] = {"603": ("9610", "1210", "9710", "9810"), "621": ("9610", "1210", "1239")}
ORDER_TYPES: Mapping[str, tuple[str, ...]] = {"303": ("E", "B", "W"), "311": ("I",)}
TIMES = st.datetimes().map(lambda moment: moment.strftime("2026%m%d%H%M%S").replace("0229", "0228", 1))
NUMBERS = st.from_regex("[0-9]{4}2026[EI][0-9]{9,11}", fullmatch=True)
# N19,5; a parcel of three lines stays below what a parcel may be worth.
AMOUNTS = st.decimals(Decimal("0.00001"), 10**6, places=5).map(lambda amount: f"{amount:f}")
LONG_AMOUNTS = st.decimals(Decimal("0.00001"), 10**14 - 1, places=5).map(lambda amount: f"{amount:f}") | st.just(
    "99999999999999.99999"
)


def values(message: str) -> Mapping[str, st.SearchStrategy[str]]:
    """The values of elements by name, where their type says too little."""
    fixed = {"appType": "1", "appStatus": "2", "fFlag": "3", "iFlag": "3", "msgCount": "1", "msgSeqNo": "1"}
    return {
        **{name: st.just(text) for name, text in fixed.items()},
        **dict.fromkeys(("appTime", "leaveTime", "accountingDate", "payTime", "logisticsTime"), TIMES),
        **{name: TIMES.map(lambda time: f"{time}123") for name in ("returnTime", "opDate")},
        **{name: TIMES.map(lambda time: time[:8]) for name in ("ieDate", "declTime")},
        **{name: st.sampled_from(CURRENCIES) for name in ("fCurrency", "iCurrency")},
        **{name: st.sampled_from(UNITS) for name in ("unit", "unit1", "unit2")},
        **dict.fromkeys(("customsTax", "valueAddedTax", "consumptionTax", "grossWeight", "weight"), LONG_AMOUNTS),
        "netWeight": st.just("0.00001"),
        "country": st.sampled_from(COUNTRIES),
        "invtNo": NUMBERS.map(lambda number: number[:18]) if message[0] in "68" and message in ("622", "623", "624",
            "625", "626", "816", "818", "621") else NUMBERS,
        "ieFlag": st.just(FLAGS.get(message, "E")),
        "orderType": st.sampled_from(ORDER_TYPES.get(message, ("E",))),
        "tradeMode": st.sampled_from(TRADE_MODES.get(message, ("9661",))),
        "customsCode": st.from_regex("[0-9]{4}", fullmatch=True),
        "gcode": st.from_regex("[0-9]{10}", fullmatch=True),
        "entryId": st.from_regex("[0-9]{18}", fullmatch=True),
        "returnStatus": st.sampled_from(["1", "2", "3", "4", "100", "120", "399", "800", "-621001"]),
        "currency": st.just("142"),
        "startTime": st.just("20260301000000"),
        "endTime": st.just("20260331235959"),
    }  # fmt: skip


class Specification:
    """The schemas of a folder, for any of their messages."""

    def __init__(self, folder: Path) -> None:
        self._roots = [etree.parse(folder / f"{name}.xsd").getroot() for name in ("export", "import")]
        for root in self._roots:
            for element in root.iter(f"{XS}element"):
                # What is signed is no part of what is read here.
                if element.get("ref") == SIGNATURE:
                    element.set("minOccurs", "0")
        self._schemas = [etree.XMLSchema(root.getroottree()) for root in self._roots]

    def is_valid(self, content: bytes) -> bool:
        """Whether one of the schemas allows a message."""
        return any(schema.validate(etree.fromstring(content)) for schema in self._schemas)

    def messages(self) -> list[str]:
        """The names of all messages."""
        found = (element.get("name", "") for root in self._roots for element in root.iterchildren(f"{XS}element"))
        return sorted(name for name in found if name.startswith("CEB") and name.endswith("Message"))

    def any_message(self, name: str) -> st.SearchStrategy[bytes]:
        """Any message of that name."""

        @st.composite
        def strategy(draw: st.DrawFn) -> bytes:
            root = next(each_element for each_element in self._roots if self._global(each_element, name) is not None)
            element = etree.Element(f"{{{CEB}}}{name}", nsmap={"ceb": CEB}, guid="A" * 36, version="1.0")
            own = values(name[3:6])
            self._fill(draw, root, element, self._global(root, name), own)
            return etree.tostring(element)

        return strategy()

    def _global(self, root: Any, name: str) -> Any:
        return next((entry for entry in root.iterchildren(f"{XS}element") if entry.get("name") == name), None)

    def _fill(self, draw: st.DrawFn, root: Any, parent: Any, declared: Any, own: Any) -> None:
        is_by_time = draw(st.booleans())
        for child in declared.find(f"{XS}complexType/{XS}sequence").iterchildren(f"{XS}element"):
            self._add(draw, root, parent, child, own, is_by_time)
        _make_totals_agree(draw, parent)

    def _add(self, draw: st.DrawFn, root: Any, parent: Any, child: Any, own: Any, is_by_time: bool) -> None:
        name = (child.get("ref") or child.get("name")).removeprefix("ceb:")
        if name in (SIGNATURE, "BaseSubscribe", "ExtendMessage"):
            return
        if name in ("startTime", "endTime"):
            if not is_by_time:
                return
        # A list's own number is optional by its schema alone; a summary that isn't by time names lists.
        elif name not in ("copNo", "SummaryApplyList") and child.get("minOccurs") == "0" and draw(st.booleans()):
            return
        declared = self._global(root, name) if child.get("ref") else child
        for number in range(draw(st.integers(1, REPEATED_MOST)) if child.get("maxOccurs") else 1):
            element = etree.SubElement(parent, f"{{{CEB}}}{name}")
            if declared.find(f"{XS}complexType") is not None:
                self._fill(draw, root, element, declared, own)
            elif name == "gnum":
                element.text = str(number + 1)
            else:
                element.text = draw(own[name] if name in own else _any_value(declared))


def _any_value(declared: Any) -> st.SearchStrategy[str]:
    """Any value of a simple type: of a text also the longest, in one byte a sign and in three."""
    facets = {facet.tag.removeprefix(XS): facet.get("value") for facet in declared.iter() if facet.get("value")}
    base = next((entry.get("base") for entry in declared.iter(f"{XS}restriction")), declared.get("type") or "xs:string")
    if base.endswith("decimal"):
        return AMOUNTS
    if base.endswith(("int", "integer")):
        return st.integers(1, 10 ** int(facets.get("totalDigits", 9)) - 1).map(str)
    longest = int(facets.get("length") or facets.get("maxLength") or 20)
    shortest = longest if "length" in facets else max(int(facets.get("minLength", 1)), 1)
    sizes = st.sampled_from([shortest, longest]) | st.integers(shortest, longest)
    return st.builds(lambda size, letter: letter * size, sizes, st.sampled_from("A中9"))


def _make_totals_agree(draw: st.DrawFn, parent: Any) -> None:
    """Total is quantity times price, the goods' value the sum of the totals; exactly, with all their decimals."""
    texts = {etree.QName(child).localname: child for child in parent}
    if {"qty", "price", "totalPrice"} <= texts.keys():
        quantity, price = draw(st.integers(1, 1_000)), Decimal(draw(AMOUNTS))
        texts["qty"].text, texts["price"].text = str(quantity), f"{price:f}"
        texts["totalPrice"].text = f"{quantity * price:f}"
    if "OrderHead" in texts:
        lines = parent.iterchildren(f"{{{CEB}}}OrderList")
        total = sum(Decimal(line.findtext(f"{{{CEB}}}totalPrice")) for line in lines)
        texts["OrderHead"].find(f"{{{CEB}}}goodsValue").text = f"{total:f}"
