"""Builds the Python code and the descriptor image of protos/ under build/. With --check only compares.

The validation rules' own proto comes as a descriptor inside the protovalidate package, so
it is handed to protoc as one; everything else is found on the import path.
"""

import hashlib
import pathlib
import shutil
import sys
from importlib import metadata, resources

import grpc_tools
from google.api import annotations_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
BUILD = ROOT / "build"
GENERATED = BUILD / "gen"
STAMP = GENERATED / ".stamp"
TOOLS = ("grpcio-tools", "protobuf", "protovalidate")


def fingerprint(sources: list[pathlib.Path]) -> str:
    """Returns a digest over the sources and the tools: equal digests need no new build."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    digest.update(" ".join(metadata.version(tool) for tool in TOOLS).encode())
    for source in sources:
        digest.update(source.relative_to(PROTOS).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()


def compile_protos(sources: list[pathlib.Path]) -> None:
    """Runs protoc thrice: Python code with its types, clients' stubs of the services, the image that tools read."""
    rules = BUILD / "validate.binpb"
    rules.write_bytes(b"\x0a" + _length_prefixed(validate_pb._DESC.proto.to_binary()))
    well_known = str(resources.files(grpc_tools) / "_proto")
    common = str(pathlib.Path(annotations_pb2.__file__).parents[2])
    names = [source.relative_to(PROTOS).as_posix() for source in sources]
    base = ["protoc", f"-I{PROTOS}", f"-I{well_known}", f"-I{common}", f"--descriptor_set_in={rules}"]
    python = [f"--python_out={GENERATED}", f"--pyi_out={GENERATED}"]
    image = [f"--descriptor_set_out={BUILD / 'aval.binpb'}", "--include_imports", "--include_source_info"]
    stubs = [*base, f"--grpc_python_out={GENERATED}", *(name for name, source in zip(names, sources, strict=True)
             if b"\nservice " in source.read_bytes())]  # fmt: skip
    for arguments in ([*base, *python, *names, "buf/validate/validate.proto"], stubs, [*base, *image, *names]):
        if protoc.main(arguments) != 0:
            sys.exit("protoc refused the protos")


def _length_prefixed(data: bytes) -> bytes:
    """Returns the bytes behind their length as a varint: a one-file FileDescriptorSet without its tag."""
    length, prefix = len(data), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*prefix, length]) + data


def main(arguments: list[str]) -> None:
    """Builds when anything changed since the last build; with --check exits with status 1 instead."""
    sources = sorted(PROTOS.rglob("*.proto"))
    stamp = fingerprint(sources)
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    if arguments == ["--check"]:
        sys.exit(1)
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir(parents=True)
    compile_protos(sources)
    for folder in GENERATED.rglob("*"):
        if folder.is_dir():
            (folder / "py.typed").touch()
    STAMP.write_text(stamp)


if __name__ == "__main__":
    main(sys.argv[1:])
