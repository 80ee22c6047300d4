"""Where a local platform keeps its things, and who holds it: one folder, one `aval up` at a time."""

import fcntl
import json
import os
import pathlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from chassis import private

DEFAULT_FOLDER = pathlib.Path("var")


class CannotRun(Exception):
    """A platform can't run on this folder and store; says why and what to do."""


class AlreadyRunning(CannotRun):
    """Another `aval up` holds the folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(f"another `aval up` runs on {folder}; stop it or give --folder")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running platform listens, host:port each."""

    http: str
    door: str
    traces: str
    services: Mapping[str, str]
    database: str
    process_id: int

    @property
    def url(self) -> str:
        """Returns the pages' address."""
        return f"http://{self.http}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files under a platform's folder."""

    folder: pathlib.Path
    # Where the services' key rings are kept; None: beside the certificates.
    kept_keys: pathlib.Path | None = None

    @property
    def certificates(self) -> pathlib.Path:
        """Returns the development authority and everyone's certificates."""
        return self.folder / "certificates"

    @property
    def keys(self) -> pathlib.Path:
        """Returns the services' key rings."""
        return self.kept_keys or self.certificates

    @property
    def database(self) -> str:
        """Returns the embedded store's address."""
        return f"sqlite:///{self.folder / 'store'}"

    def _keep_private(self) -> None:
        """Makes the folder; one that is a platform's already is taken away from others."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
        if self.certificates.is_dir():
            private.keep(self.folder, private.FOLDER)

    def write(self, name: str, value: Any) -> None:
        """Keeps a JSON document, whole or not at all."""
        self._keep_private()
        partial = self.folder / f"{name}.partial"
        partial.write_text(json.dumps(value, indent=2))
        os.replace(partial, self.folder / name)

    def read(self, name: str) -> Any:
        """Returns a document kept before; None if there is none."""
        file = self.folder / name
        return json.loads(file.read_text()) if file.exists() else None

    def announce(self, addresses: Addresses) -> None:
        """Tells the other commands where the platform listens."""
        self.write("running.json", asdict(addresses))

    def running(self) -> Addresses | None:
        """Returns the platform that runs on this folder now, if any."""
        announced = self.read("running.json")
        if announced is None or not self._is_held():
            return None
        return Addresses(**announced)

    def _is_held(self) -> bool:
        try:
            self.hold().close()
        except AlreadyRunning:
            return True
        return False

    def hold(self) -> IO[str]:
        """Holds the folder until the file is closed. Raises AlreadyRunning if another process does."""
        self._keep_private()
        file = (self.folder / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise AlreadyRunning(self.folder) from error
        return file

    def was_up(self) -> bool:
        """Whether a platform was ever up on this folder."""
        return self.read("running.json") is not None

    def database_in_use(self) -> str:
        """Returns the store the folder's platform was last started with."""
        announced = self.read("running.json")
        return str(announced["database"]) if announced else self.database
