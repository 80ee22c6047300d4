"""The files of an import: found in folders and .zip files, opened lazily whether packed or not.

A file that can't be read whole is refused by its name, for a bounded cost, and stops no other.
"""

import collections
import contextlib
import functools
import gzip
import hashlib
import io
import pathlib
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from services.declarations.intake.formats import envelopes

DOCUMENTS, LINES = ".xml", (".jsonl", ".json")
SPREADSHEET = ".xlsx"
# The delimiter of each kind of table, unless the mapping says another.
DELIMITERS: Mapping[str, str] = {".csv": ",", ".tsv": "\t", SPREADSHEET: ","}
KNOWN = (DOCUMENTS, *LINES, *DELIMITERS)
PACKED, ARCHIVE = ".gz", ".zip"
NESTED = (PACKED, ARCHIVE, ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst")
# What Finder and Excel put beside a file under its name: resources, and who has it open.
BESIDE = ("._", "~$")
# As the contract limits a document.
LARGEST_DOCUMENT = 3_145_728
# Tables pack to a tenth, seldom to a hundredth; beyond this the packing is what the file is about.
MOST_UNPACKED_TIMES = 250
MOST_MEMBERS = 10_000
MOST_DIRECTORY_BYTES = 8 * 1024 * 1024
CHUNK = 1 << 20
FILE_CUT_OFF, FILE_DAMAGED, FILE_TOO_LARGE = "FILE_CUT_OFF", "FILE_DAMAGED", "FILE_TOO_LARGE"
DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
FILE_ENCODING, FILE_NESTED, FILE_SHAPE, FILE_UNFIT = "FILE_ENCODING", "FILE_NESTED", "FILE_SHAPE", "FILE_UNFIT"
# What says that a file couldn't be read whole.
RULES = frozenset(
    {
        FILE_CUT_OFF,
        FILE_DAMAGED,
        FILE_TOO_LARGE,
        DOCUMENT_TOO_LARGE,
        FILE_ENCODING,
        FILE_NESTED,
        FILE_SHAPE,
        FILE_UNFIT,
    }
)


class UnreadableFile(Exception):
    """The file can't be imported at all; the text says why."""


class RefusedFile(UnreadableFile):
    """One file that is refused by its name while the others go on; `rule` is one of RULES."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule = rule
        super().__init__(message)


def shown(name: str) -> str:
    """Returns a name that is a text, whatever bytes the disk has it in."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a member of a .zip file; `is_given` unless it was found in a folder or in such a file."""

    file: pathlib.Path
    member: str = ""
    is_given: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return shown(f"{self.file}/{self.member}" if self.member else str(self.file))

    @property
    def name(self) -> str:
        """Returns the last part: cut-off.xml.gz."""
        return shown(pathlib.PurePosixPath(self.member).name if self.member else self.file.name)

    @property
    def kind(self) -> str:
        """Returns the suffix without packing, in lower case: .xml."""
        return pathlib.PurePath(self.name.lower().removesuffix(PACKED)).suffix

    @property
    def is_packed(self) -> bool:
        """Whether the file takes fewer bytes on the disk than it says."""
        return bool(self.member) or self.name.lower().endswith(PACKED)

    @property
    def size(self) -> int:
        """Returns its bytes on the disk."""
        return _archive(self.file).getinfo(self.member).compress_size if self.member else self.file.stat().st_size


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that can't be read, and why."""

    source: Source
    rule: str
    message: str


@dataclass(slots=True)
class ImportedFiles:
    """The files of an import in order of their names, and those that are known already to be unreadable."""

    sources: list[Source] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def gather(paths: Iterable[pathlib.Path]) -> ImportedFiles:
    """Finds the files, those of the folders that an import knows, and the members of .zip files; each once.

    Raises UnreadableFile where a file is of no kind that is known.
    """
    sources = list(dict.fromkeys(source for path in paths for source in _inside(path)))
    if unknown := [str(source) for source in sources if not _is_known(source) and not _is_archive(source)]:
        raise UnreadableFile(f"{', '.join(unknown)}: no {', '.join((*KNOWN, ARCHIVE))}, plain or {PACKED}")
    gathered = ImportedFiles()
    for source in sources:
        if _is_archive(source):
            _add_members(gathered, source.file)
        else:
            gathered.sources.append(source)
    return gathered


def _inside(path: pathlib.Path) -> list[Source]:
    if not path.is_dir():
        return [Source(path)]
    files = (Source(file, is_given=False) for file in sorted(path.rglob("*")) if file.is_file())
    return [source for source in files if _is_known(source) or _is_archive(source)]


def is_table(source: Source) -> bool:
    """Whether it has columns: delimited text or a spreadsheet."""
    return source.kind in DELIMITERS


def _is_known(source: Source) -> bool:
    return source.kind in KNOWN and (source.is_given or not source.name.startswith(BESIDE))


def _is_archive(source: Source) -> bool:
    return source.name.lower().endswith(ARCHIVE)


def _add_members(gathered: ImportedFiles, file: pathlib.Path) -> None:
    """Adds the members of a .zip file that an import knows. Archives within it are refused by their names."""
    try:
        with named(Source(file)):
            members = collections.Counter(info.filename for info in _archive(file).infolist() if not info.is_dir())
    except RefusedFile as error:
        gathered.refusals.append(Refusal(Source(file), error.rule, str(error)))
        return
    for source in sorted((Source(file, member, is_given=False) for member in members), key=str):
        if members[source.member] > 1 and _is_known(source):
            message = f"{source.name} is in {file.name} {members[source.member]} times; pack each under its own name."
            gathered.refusals.append(Refusal(source, FILE_SHAPE, message))
        elif source.name.lower().endswith(NESTED):
            message = f"{source.name} is packed again inside {file.name}; unpack it and send what is in it."
            gathered.refusals.append(Refusal(source, FILE_NESTED, message))
        elif _is_known(source):
            gathered.sources.append(source)


def _archive(file: pathlib.Path) -> zipfile.ZipFile:
    """Returns a .zip file, its directory read once. Raises RefusedFile if it has too many members."""
    status = file.stat()
    return _opened_archive(file, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _opened_archive(file: pathlib.Path, _modified_ns: int, _size: int) -> zipfile.ZipFile:
    members, size = _directory(file)
    if members > MOST_MEMBERS or size > MOST_DIRECTORY_BYTES:
        raise RefusedFile(FILE_TOO_LARGE, f"{file.name} has more than {MOST_MEMBERS} files in it; send several.")
    try:
        return zipfile.ZipFile(file, metadata_encoding="gb18030")
    except UnicodeDecodeError:
        return zipfile.ZipFile(file)


def _directory(file: pathlib.Path) -> tuple[int, int]:
    """Returns how many members a .zip file says that it has, and the bytes of its directory; 0 where it says neither.

    Its end record lies in the last 65,557 bytes: PK 5 6, then counts of two bytes and sizes of four (APPNOTE 4.3.16).
    """
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 65_557))
        tail = opened.read()
    start = tail.rfind(b"PK\x05\x06")
    if start < 0 or len(tail) < start + 16:
        return 0, 0
    members, size = struct.unpack_from("<HL", tail, start + 10)
    return members, size


def digest(file: pathlib.Path) -> str:
    """Returns the SHA-256 of the file as it lies there; that of a .zip file is made once for all its members."""
    status = file.stat()
    return _digest(file, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _digest(file: pathlib.Path, _modified_ns: int, _size: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextlib.contextmanager
def named(source: Source) -> Iterator[None]:
    """Turns what goes wrong with the file's bytes into RefusedFile with its name."""
    try:
        yield
    except EOFError as error:
        raise RefusedFile(FILE_CUT_OFF, f"{source.name} is cut off; send it again whole.") from error
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise RefusedFile(FILE_DAMAGED, f"{source.name} is damaged ({error}); send it again.") from error
    except OSError as error:
        raise RefusedFile(FILE_DAMAGED, f"{source.name} can't be read ({error.strerror or error}).") from error
    except RuntimeError as error:
        # zipfile's way to say that a member needs a password.
        raise RefusedFile(FILE_DAMAGED, f"{source.name} can't be unpacked ({error}); send it unlocked.") from error


class Opened(contextlib.AbstractContextManager["Opened"]):
    """A file being read: its bytes, unpacked, and how many of those on the disk were read so far.

    Raises RefusedFile.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._open = contextlib.ExitStack()
        with named(source):
            self._raw = self._on_disk()
            self.stream: IO[Any] = self._unpacked()
        self._start = self._raw.tell()

    def _on_disk(self) -> IO[bytes]:
        packed = _archive(self.source.file).fp if self.source.member else None
        return packed or self._open.enter_context(self.source.file.open("rb"))

    def _unpacked(self) -> IO[Any]:
        if self.source.member:
            return self._open.enter_context(_archive(self.source.file).open(self.source.member))
        if not self.source.is_packed:
            return self._raw
        unpacked: Any = self._open.enter_context(gzip.GzipFile(fileobj=self._raw))
        return unpacked  # type: ignore[no-any-return]

    @property
    def position(self) -> int:
        """Returns the bytes of the file read so far."""
        return max(0, self._raw.tell() - self._start) if not self._raw.closed else 0

    def text(self, encoding: str) -> IO[str]:
        """Returns the file as text, once."""
        self.stream = self._open.enter_context(io.TextIOWrapper(self.stream, encoding, newline=""))
        return self.stream

    def seekable(self) -> IO[bytes]:
        """Returns the file so that it can be read from anywhere: unpacked on the disk, where it is packed."""
        if not self.source.is_packed:
            return self.stream
        copy = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
        with named(self.source):
            shutil.copyfileobj(self.stream, copy, CHUNK)
        copy.seek(0)
        return copy

    def __exit__(self, *_: object) -> None:
        self._open.close()


def content(source: Source) -> bytes:
    """Returns a whole document. Raises RefusedFile, also where it is larger than a document may be."""
    with Opened(source) as opened, named(source):
        read = bytes(opened.stream.read(LARGEST_DOCUMENT + 1))
    if len(read) > LARGEST_DOCUMENT:
        verb = "unpacks to" if source.is_packed else "has"
        raise RefusedFile(DOCUMENT_TOO_LARGE, f"{source.name} {verb} more than 3 MiB; cut the message into several.")
    return read


def is_document(source: Source) -> bool:
    """Whether a file is sent as it lies there: XML, or JSON around documents in base64. Raises RefusedFile.

    JSON that is larger than a document may be is rows.
    """
    if source.kind not in LINES:
        return source.kind == DOCUMENTS
    with Opened(source) as opened, named(source):
        beginning = opened.stream.read(LARGEST_DOCUMENT + 1)
    return len(beginning) <= LARGEST_DOCUMENT and envelopes.is_envelope(beginning)


def check_whole(source: Source) -> None:
    """Raises RefusedFile where a packed file can't be unpacked to its end, or unpacks to very much more than it is."""
    if not source.is_packed:
        return
    most, unpacked = LARGEST_DOCUMENT + MOST_UNPACKED_TIMES * source.size, 0
    with Opened(source) as opened, named(source):
        while chunk := opened.stream.read(CHUNK):
            unpacked += len(chunk)
            if unpacked > most:
                message = f"{source.name} unpacks to more than {MOST_UNPACKED_TIMES} times its size; send it plain."
                raise RefusedFile(FILE_TOO_LARGE, message)


def beginning(source: Source, size: int) -> bytes:
    """Returns the first bytes, unpacked. Raises RefusedFile."""
    with Opened(source) as opened, named(source):
        return bytes(opened.stream.read(size))


def chunks(source: Source) -> Iterator[bytes]:
    """Yields all bytes, unpacked, in parts. Raises RefusedFile."""
    with Opened(source) as opened, named(source):
        while chunk := opened.stream.read(CHUNK):
            yield chunk
