"""Principals with what proves them, and their sessions."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.clock import MICROSECONDS
from chassis.identity import Caller

STEP_SECONDS = 30
# A code of the step before or after still counts, for clocks that differ a little.
STEPS_APART = 1
# The step of a one-time code before any was used.
NEVER_USED = -1
# The roles that have a session, and whether it takes a one-time code; all others come by certificate only.
SESSION_ROLES: Mapping[str, bool] = {"EXPORTER": False, "OPERATOR": True}

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a system of a tenant. `code_step` and `code_request_id` say which one-time code was used last."""

    login: str
    tenant: str
    roles: tuple[str, ...]
    name_english: str
    name_chinese: str
    tenant_name_english: str
    tenant_name_chinese: str
    # The name in its certificate, without the trust domain; empty: it can't come to the bank's door.
    certificate: str
    # Argon2; empty: it can't sign in.
    password_hash: str
    code_step: int
    code_request_id: str

    @property
    def name(self) -> str:
        """Returns the principal as services know it."""
        return f"{self.tenant}/{self.login}"

    @property
    def may_sign_in(self) -> bool:
        """Whether it has a session: all of its roles must."""
        return bool(self.roles) and all(role in SESSION_ROLES for role in self.roles)

    @property
    def signs_in_with_code(self) -> bool:
        """Whether its sign-in takes a one-time code beside the password."""
        return any(SESSION_ROLES.get(role, True) for role in self.roles)

    def display_name(self, language: str) -> str:
        """Returns its name for people."""
        return self.name_chinese if language == "zh-CN" else self.name_english

    def caller(self, language: str = "en", second_factor: bool = False, public_key: str = "") -> Caller:
        """Returns the caller that an assertion shall name."""
        return Caller(self.name, self.tenant, frozenset(self.roles), "", second_factor, public_key, language)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An institution or enterprise with its names."""

    tenant: str
    name_english: str
    name_chinese: str

    def display_name(self, language: str) -> str:
        """Returns its name for people; the tenant itself where it has none."""
        return (self.name_chinese if language == "zh-CN" else self.name_english) or self.tenant


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in principal. Only the hash of its cookie is kept."""

    token_hash: bytes
    login: str
    expire_us: int
    # When it was last used, to the minute.
    use_us: int


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """A principal to be entered, with its secrets in the clear."""

    login: str
    tenant: str
    roles: tuple[str, ...]
    name_english: str
    name_chinese: str
    tenant_name_english: str = ""
    tenant_name_chinese: str = ""
    certificate: str = ""
    password: str = ""
    totp_secret: str = ""


def token_hash(token: str) -> bytes:
    """Returns the hash that is kept of a session's token."""
    return hashlib.sha256(token.encode()).digest()


def hash_password(password: str) -> str:
    """Returns an Argon2 hash; empty for no password. Takes some tens of milliseconds."""
    return _hasher.hash(password) if password else ""


# Verified against when the login is unknown, so that both cases take the same time.
_NOBODY = _hasher.hash("nobody")


def password_matches(password_hash: str, password: str) -> bool:
    """Whether it is the password; an empty hash matches none."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


def code_step(secret: str, code: str, now_us: int) -> int | None:
    """Returns the 30-second step whose code this is, or None."""
    if not secret:
        return None
    now_step = now_us // MICROSECONDS // STEP_SECONDS
    generator = pyotp.TOTP(secret)
    for step in range(now_step - STEPS_APART, now_step + STEPS_APART + 1):
        if pyotp.utils.strings_equal(generator.generate_otp(step), code.strip()):
            return step
    return None
