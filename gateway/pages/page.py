"""How a page is made: template, texts, who is signed in, the form's token; and how its forms are read."""

import datetime
import hmac
import pathlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chassis import money
from chassis.errors import DomainError
from chassis.money import Money
from gateway import web
from gateway.directory.model import Principal
from gateway.errors import FormExpired, NotSignedIn
from gateway.pages.texts import texts
from gateway.web import Rooms
from trade.calendars import CHINA

FOLDER = pathlib.Path(__file__).parent
# What the forms of those are bound to who aren't signed in.
VISIT_COOKIE = "aval_visit"
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


def _amount(amount: Any) -> str:
    if isinstance(amount, Money):
        return str(amount)
    return str(money.from_proto(amount)) if amount.currency_code else "–"


def _date(date: Any) -> str:
    return f"{date.year:04}-{date.month:02}-{date.day:02}" if date.year else "–"


def _time(timestamp: Any) -> str:
    moment = datetime.datetime.fromtimestamp(timestamp.seconds, tz=CHINA)
    return f"{moment:%Y-%m-%d %H:%M}"


def _percent(rate: Any) -> str:
    return f"{Decimal(rate.value or 0) * 100:.2f}%"


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
        """Returns a field's value."""
        return self.values.get(name, [default])[0].strip()

    def secret(self, name: str) -> str:
        """Returns a password as it was typed, spaces included."""
        return self.values.get(name, [""])[0]

    def many(self, name: str) -> list[str]:
        """Returns a field's values."""
        return list(self.values.get(name, []))

    def refuse(self, error: DomainError, language: str, fields: Iterable[str]) -> None:
        """Puts a refusal's problems beside the fields they are about; the rest at the top."""
        names = list(fields)
        for problem in error.problems:
            matching = [name for name in names if name in problem.path.split(".")]
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
        """Calls a service's method for whoever is signed in. Returns the response."""
        assert self.principal
        caller = self.principal.caller(self.language, second_factor)
        return await self.rooms.backends.call(service, method, message, caller)

    def form_token(self, action: str) -> str:
        """Returns the token of our own form for a path: nobody makes it without our keys and the visitor's cookie."""
        visitor = self.request.cookies.get(web.SESSION_COOKIE) or self._visit
        return self.rooms.store.keys.token("form", f"{visitor}\0{action}".encode()).hex()

    @cached_property
    def _visit(self) -> str:
        """Returns the cookie of a visitor who hasn't signed in; a new one if it has none."""
        return self.request.cookies.get(VISIT_COOKIE) or secrets.token_urlsafe(16)

    async def form(self) -> Form:
        """Returns the form that was sent.

        Raises CrossSiteRequest, FormExpired unless it is ours; MessageTooLarge, TooManyFields.
        """
        web.check_same_site(self.request)
        values = await self.rooms.bodies.form(self.request)
        given, ours = values.get("form_token", [""])[0], self.form_token(self.request.url.path)
        if not hmac.compare_digest(given.encode(), ours.encode()):
            raise FormExpired
        return Form(values)

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """Returns the page."""
        common = {
            "text": self.texts, "language": self.language, "page": self, "principal": self.principal,
            "path": self.request.url.path, "form_token": self.form_token, "form": Form(), "live": "",
        }  # fmt: skip
        html = environment.get_template(template).render({**common, **values})
        response = HTMLResponse(html, status, HEADERS)
        if self.principal is None and VISIT_COOKIE not in self.request.cookies:
            web.set_cookie(self.rooms, self.request, response, VISIT_COOKIE, self._visit)
        return response

    def next_page(self, token: str) -> str:
        """Returns the address of the page that follows."""
        return f"{self.request.url.path}?{urlencode({'page_token': token})}" if token else ""


def go(path: str) -> Response:
    """Redirects after a form to another page."""
    return RedirectResponse(path, 303)


def refusal(rooms: Rooms, request: Request, error: DomainError) -> Response:
    """Returns a refusal as a page; whoever isn't signed in is asked to."""
    if isinstance(error, NotSignedIn):
        return go("/sign-in")
    page = Page(rooms, request, None)
    response = page.show("refused.html", web.http_status(error), message=error.text(page.language))
    response.headers.update(web.refusal_headers(error))
    return response
