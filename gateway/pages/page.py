"""How a page is made: template, texts, who is signed in, the form's token; and how its forms are read."""

import datetime
import hashlib
import hmac
import pathlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chassis import money
from chassis.clock import SHANGHAI
from chassis.errors import DomainError
from chassis.money import Money
from gateway import web
from gateway.directory.model import Principal
from gateway.errors import CrossSiteRequest, NotSignedIn
from gateway.pages.texts import texts
from gateway.web import Rooms

FOLDER = pathlib.Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _amount(found: Any) -> str:
    if isinstance(found, Money):
        return str(found)
    return str(money.from_proto(found)) if found.currency_code else "–"


def _date(found: Any) -> str:
    return f"{found.year:04}-{found.month:02}-{found.day:02}" if found.year else "–"


def _time(found: Any) -> str:
    moment = datetime.datetime.fromtimestamp(found.seconds, tz=SHANGHAI)
    return f"{moment:%Y-%m-%d %H:%M}"


def _percent(found: Any) -> str:
    return f"{Decimal(found.value or 0) * 100:.2f}%"


def _enum(message: Any, name: str) -> str:
    descriptor = message.DESCRIPTOR.fields_by_name[name].enum_type
    return str(descriptor.values_by_number[getattr(message, name)].name)


environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters.update(
    money=_amount, date=_date, time=_time, percent=_percent, enum=_enum, id=lambda name: name.rsplit("/", 1)[-1]
)


@dataclass
class Form:
    """A form as it was sent, and what is wrong with it: by field name; "" for the whole."""

    values: Mapping[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """A field's value."""
        return self.values.get(name, [default])[0].strip()

    def many(self, name: str) -> list[str]:
        """A field's values."""
        return list(self.values.get(name, []))

    def refuse(self, error: DomainError, language: str, fields: Iterable[str]) -> None:
        """Puts a refusal's problems beside the fields they are about; the rest at the top."""
        known = list(fields)
        for problem in error.problems:
            matching = [name for name in known if name in problem.path.split(".")]
            self.errors.setdefault(matching[0] if matching else "", problem.text(language))
        if not self.errors:
            self.errors[""] = error.text(language)


class Page:
    """One request for a page."""

    def __init__(self, rooms: Rooms, request: Request, principal: Principal | None) -> None:
        self.rooms, self.request, self.principal = rooms, request, principal
        self.language = web.language_of(request)
        self.texts = texts(self.language)

    async def call(self, service: str, method: str, message: Any, second_factor: bool = False) -> Any:
        """A service's method, as the one who is signed in."""
        assert self.principal
        caller = self.principal.caller(self.language, second_factor)
        return await self.rooms.backends.call(service, method, message, caller)

    def form_token(self) -> str:
        """What our own forms carry; another site can't know the cookie it is made of."""
        cookie = self.request.cookies.get(web.SESSION_COOKIE, "")
        return hmac.new(cookie.encode(), b"form", hashlib.sha256).hexdigest()

    async def form(self) -> Form:
        """The form that was sent. CrossSiteRequest unless it is ours."""
        values = parse_qs((await web.body_of(self.request)).decode("utf-8", "replace"), keep_blank_values=True)
        if not hmac.compare_digest(values.get("form_token", [""])[0].encode(), self.form_token().encode()):
            raise CrossSiteRequest
        return Form(values)

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page."""
        common = {
            "text": self.texts, "language": self.language, "page": self, "principal": self.principal,
            "path": self.request.url.path, "form_token": self.form_token(), "form": Form(), "live": "",
        }  # fmt: skip
        html = environment.get_template(template).render({**common, **values})
        return HTMLResponse(html, status, HEADERS)

    def next_page(self, token: str) -> str:
        """The address of the page that follows."""
        return f"{self.request.url.path}?{urlencode({'page_token': token})}" if token else ""


def go(path: str) -> Response:
    """After a form: see another page."""
    return RedirectResponse(path, 303)


def refusal(rooms: Rooms, request: Request, error: DomainError) -> Response:
    """A refusal as a page; whoever isn't signed in is asked to."""
    if isinstance(error, NotSignedIn):
        return go("/sign-in")
    page = Page(rooms, request, None)
    return page.show("refused.html", web.http_status(error), message=error.text(page.language))
