"""The exporter's pages."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.type.v1 import derivation_pb2
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import ids, money
from chassis.clock import MICROSECONDS
from chassis.currencies import to_minor_units
from chassis.errors import LANGUAGES, DomainError
from gateway import web
from gateway.directory import store as directory_store
from gateway.directory.binding import bound_to
from gateway.errors import PasswordUnfit, SignInFailed, SignInsWaiting, TooManyAttempts
from gateway.pages.page import Form, Page, go
from gateway.pages.picture import value_bar
from gateway.web import Rooms

APPLICATION_FIELDS = ("amount", "tenor_days", "banks", "declarations")
CONSENT_SECONDS = 180 * 24 * 3600
ACCOUNT, END_SESSIONS, CHANGE_PASSWORD = "/account", "/account/end-sessions", "/account/password"
HOME = {"OPERATOR": "/operations/traces"}
Show = Callable[[Page], Awaitable[Response]]


class ExporterPages:
    """Sign in, declarations, applications, offers, loans."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Returns the routes of its pages."""
        pages: list[tuple[str, str, Show]] = [
            ("GET", "/", home),
            ("POST", "/sign-out", sign_out),
            ("GET", "/declarations", declarations),
            ("GET", "/declarations/{id}", declaration),
            ("GET", "/applications", applications),
            ("GET", "/applications/new", new_application),
            ("POST", "/applications/new", send_application),
            ("GET", "/applications/{id}", application),
            ("POST", "/offers/{id}/accept", accept_offer),
            ("GET", "/loans", loans),
            ("GET", "/loans/{id}", loan),
            ("GET", ACCOUNT, account),
            ("POST", END_SESSIONS, end_sessions),
            ("POST", CHANGE_PASSWORD, change_password),
        ]
        signed_in = [Route(path, self._signed_in(f"{verb} {path}", show), methods=[verb]) for verb, path, show in pages]
        return [
            *signed_in,
            Route("/sign-in", self.sign_in_page, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/language/{language}", self.switch_language, methods=["GET"]),
        ]

    def _signed_in(self, name: str, show: Show) -> Callable[[Request], Awaitable[Response]]:
        """Returns the handler of a page for those who are signed in; only their visits are traced."""

        async def endpoint(request: Request) -> Response:
            principal = await web.signed_in(self._rooms, request)
            number = request.path_params.get("id", "") if "/declarations/" in name else ""
            with web.traced(request, name, **{"aval.declaration.number": number}) as span:
                response = await show(Page(self._rooms, request, principal))
                web.note_status(span, response.status_code)
                return response

        return endpoint

    async def sign_in_page(self, request: Request) -> Response:
        """Shows the form."""
        return Page(self._rooms, request, None).show("sign_in.html")

    async def sign_in(self, request: Request) -> Response:
        """Opens a session; a refusal is shown on the form."""
        page = Page(self._rooms, request, None)
        form = await page.form()
        given = (form.one("login"), form.secret("password"), form.one("one_time_code"))
        try:
            opened = await self._rooms.directory.sign_in(*given, web.source(request))
        except (SignInFailed, TooManyAttempts, SignInsWaiting) as error:
            form.refuse(error, page.language, ())
            return page.show("sign_in.html", web.http_status(error), form=form)
        response = go("/")
        web.set_session(self._rooms, request, response, opened.token)
        return response

    async def switch_language(self, request: Request) -> Response:
        """Remembers the language and goes back."""
        response = RedirectResponse(_own_path(request.query_params.get("back", "/")), 303)
        if request.path_params["language"] in LANGUAGES:
            year = 365 * 24 * 3600
            response.set_cookie(web.LANGUAGE_COOKIE, request.path_params["language"], max_age=year, samesite="lax")
        return response


def _own_path(path: str) -> str:
    """Returns the path if it is one of ours: an open redirect would serve others."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


async def home(page: Page) -> Response:
    """Shows where everyone begins."""
    assert page.principal
    return go(next((HOME[role] for role in page.principal.roles if role in HOME), "/declarations"))


async def sign_out(page: Page) -> Response:
    """Ends the session."""
    await page.form()
    await page.rooms.directory.sign_out(page.request.cookies[web.SESSION_COOKIE])
    return _signed_out()


def _signed_out() -> Response:
    response = go("/sign-in")
    response.delete_cookie(web.SESSION_COOKIE)
    return response


async def account(page: Page) -> Response:
    """Shows my password and my sessions."""
    return _account(page)


def _account(page: Page, status: int = 200, **values: Any) -> Response:
    return page.show("account.html", status, **{"is_changed": False, "limits": page.rooms.limits, **values})


async def end_sessions(page: Page) -> Response:
    """Ends all of my sessions, this one too."""
    await page.form()
    assert page.principal
    await page.rooms.directory.end_sessions(page.principal.login)
    return _signed_out()


async def change_password(page: Page) -> Response:
    """Gives me a new password and a new session; a refusal is shown on the form."""
    form = await page.form()
    assert page.principal
    login, given = page.principal.login, (form.secret("password"), form.secret("new_password"))
    try:
        opened = await page.rooms.directory.change_password(login, *given, web.source(page.request))
    except (SignInFailed, PasswordUnfit, TooManyAttempts, SignInsWaiting) as error:
        form.refuse(error, page.language, ())
        return _account(page, web.http_status(error), form=form)
    response = _account(page, is_changed=True)
    web.set_session(page.rooms, page.request, response, opened.token)
    return response


def _page_token(page: Page) -> str:
    return page.request.query_params.get("page_token", "")


def _id(page: Page) -> str:
    return str(page.request.path_params["id"])


async def declarations(page: Page) -> Response:
    """Shows my declarations."""
    request = declarations_pb2.ListDeclarationsRequest(page_token=_page_token(page))
    listed = await page.call("declarations", "ListDeclarations", request)
    following = page.next_page(listed.next_page_token)
    return page.show("declarations.html", declarations=listed.declarations, following=following, live="declarations")


async def declaration(page: Page) -> Response:
    """Shows a declaration and its value as a picture."""
    shown = await _declaration(page, f"declarations/{_id(page)}")
    bar = value_bar(shown.value) if shown.HasField("value") and shown.value.HasField("free") else []
    explanations = await _explanations(page, "declarations", shown.name) if bar else {}
    return page.show("declaration.html", declaration=shown, bar=bar, explanations=explanations, live="declarations")


async def _explanations(page: Page, service: str, name: str) -> Mapping[str, str]:
    """Returns how the fields of a resource came about, the newest of each, as text by field."""
    told = await page.call(service, "Explain", derivation_pb2.ExplainRequest(name=name))
    return {explanation.field: explanation.text for explanation in reversed(told.explanations)}


async def _declaration(page: Page, name: str) -> Any:
    return await page.call("declarations", "GetDeclaration", declarations_pb2.GetDeclarationRequest(name=name))


async def applications(page: Page) -> Response:
    """Shows my applications."""
    request = loans_pb2.ListApplicationsRequest(page_token=_page_token(page))
    listed = await page.call("loans", "ListApplications", request)
    following = page.next_page(listed.next_page_token)
    return page.show("applications.html", applications=listed.applications, following=following, live="loans")


async def new_application(page: Page) -> Response:
    """Shows the form; its request id makes sending it twice harmless."""
    expire = page.rooms.clock.now_us() // MICROSECONDS + CONSENT_SECONDS
    name = page.request.query_params.get("declaration", "")
    values = {"request_id": [str(uuid.uuid4())], "consent_expire": [str(expire)], "declarations": [name]}
    return await _application_form(page, Form(values))


async def _application_form(page: Page, form: Form, status: int = 200) -> Response:
    found = await page.call("declarations", "ListDeclarations", declarations_pb2.ListDeclarationsRequest())
    eligible = [entry for entry in found.declarations if entry.value.available.minor_units > 0]
    banks = await page.rooms.store.read(directory_store.tenants, "banks/")
    return page.show("apply.html", status, form=form, declarations=eligible, banks=banks)


async def send_application(page: Page) -> Response:
    """Consents where asked to, then applies; what is wrong is shown beside its field."""
    form = await page.form()
    request = await _application_request(page, form)
    if form.errors:
        return await _application_form(page, form, 400)
    try:
        await _grant_consents(page, form)
        made = await page.call("loans", "CreateApplication", request)
    except DomainError as error:
        form.refuse(error, page.language, APPLICATION_FIELDS)
        return await _application_form(page, form, web.http_status(error))
    return go(f"/{made.name}")


async def _application_request(page: Page, form: Form) -> loans_pb2.CreateApplicationRequest:
    """Returns the request; what can't be read is in the form's errors."""
    request = loans_pb2.CreateApplicationRequest(request_id=form.one("request_id"))
    names = [name for name in form.many("declarations") if name]
    request.application.declarations.extend(names)
    request.application.banks.extend(form.many("banks"))
    for field, chosen in (("declarations", names), ("banks", form.many("banks"))):
        if not chosen:
            form.errors[field] = page.texts["error.choose"]
    if names:
        await _read_amount(page, form, names[0], request.application)
    if form.one("tenor_days").isascii() and form.one("tenor_days").isdigit():
        request.application.tenor_days = min(int(form.one("tenor_days")), 9999)
    else:
        form.errors["tenor_days"] = page.texts["error.whole_number"]
    return request


async def _read_amount(page: Page, form: Form, name: str, application: Any) -> None:
    """Reads the amount in the currency of the first declaration."""
    try:
        currency = (await _declaration(page, name)).declared_value.currency_code
        units = to_minor_units(Decimal(form.one("amount").replace(",", "")), currency)
    except (InvalidOperation, ValueError, OverflowError):
        units = None
    except DomainError as error:
        form.refuse(error, page.language, APPLICATION_FIELDS)
        return
    if units is None or units <= 0:
        form.errors["amount"] = page.texts["error.amount"]
    else:
        application.amount.CopyFrom(money.to_proto(money.Money(currency, units)))


async def _grant_consents(page: Page, form: Form) -> None:
    """Lets each bank asked see the declarations; the ids follow from the form's, so twice is once."""
    if not form.one("consent"):
        return
    for bank in form.many("banks"):
        request = declarations_pb2.CreateConsentRequest(request_id=ids.derived(form.one("request_id"), bank))
        request.consent.institution = bank
        request.consent.purpose = page.texts["apply"]
        request.consent.expire_time.FromSeconds(int(form.one("consent_expire", "0")))
        await page.call("declarations", "CreateConsent", request)


async def application(page: Page) -> Response:
    """Shows an application, its offers by all-in cost."""
    return await _application(page, f"applications/{_id(page)}", Form({"request_id": [str(uuid.uuid4())]}))


async def _application(page: Page, name: str, form: Form, status: int = 200) -> Response:
    found, listed, banks = await asyncio.gather(
        page.call("loans", "GetApplication", loans_pb2.GetApplicationRequest(name=name)),
        page.call("loans", "ListOffers", loans_pb2.ListOffersRequest(application=name)),
        page.rooms.store.read(directory_store.tenants, "banks/"),
    )
    offers = sorted(listed.offers, key=lambda offer: int(offer.all_in_cost.minor_units))
    explained = await asyncio.gather(*(_explanations(page, "loans", offer.name) for offer in offers))
    return page.show(
        "application.html", status, application=found, offers=offers, form=form, live="loans",
        explanations={offer.name: texts for offer, texts in zip(offers, explained, strict=True)},
        banks={bank.tenant: bank for bank in banks},
    )  # fmt: skip


async def accept_offer(page: Page) -> Response:
    """Accepts with a one-time code."""
    form = await page.form()
    name, request_id = f"offers/{_id(page)}", form.one("request_id")
    request = loans_pb2.AcceptOfferRequest(request_id=request_id, name=name, etag=form.one("etag"))
    assert page.principal
    try:
        act = bound_to("loans", "AcceptOffer", request)
        await page.rooms.directory.check_code(page.principal.login, form.one("one_time_code"), act)
        agreed = await page.call("loans", "AcceptOffer", request, second_factor=True)
    except DomainError as error:
        form.errors[name] = error.text(page.language)
        return await _application(page, form.one("application"), form, web.http_status(error))
    return go(f"/{agreed.name}")


async def loans(page: Page) -> Response:
    """Shows my loans."""
    listed = await page.call("loans", "ListLoans", loans_pb2.ListLoansRequest(page_token=_page_token(page)))
    following = page.next_page(listed.next_page_token)
    return page.show("loans.html", loans=listed.loans, following=following, live="loans")


async def loan(page: Page) -> Response:
    """Shows a loan: where it stands, what repays it today, what was repaid."""
    name = f"loans/{_id(page)}"
    shown = await page.call("loans", "GetLoan", loans_pb2.GetLoanRequest(name=name))
    payoff = None
    explanations: Mapping[str, str] = {}
    if shown.state == loans_pb2.Loan.ACTIVE:
        payoff = await page.call("loans", "GetPayoff", loans_pb2.GetPayoffRequest(name=name))
        explanations = await _explanations(page, "loans", name)
    repaid = None
    if shown.HasField("outstanding") and shown.start_date.year:
        repaid = money.from_proto(shown.principal) - money.from_proto(shown.outstanding)
    return page.show("loan.html", loan=shown, payoff=payoff, repaid=repaid, explanations=explanations, live="loans")
