"""Logs: a stranger's text never begins a line of its own, nor colours, hides or turns one."""

import asyncio
import logging
import os
import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import logs

FORGED = "x\n2026-11-30 00:00:00,000 gateway ERROR all is well"


def _written(message: str, values: tuple[object, ...] = (), error: Any = None) -> str:
    """Returns a record as it is written."""
    record = logging.LogRecord("aval", logging.ERROR, __file__, 1, message, values, error)
    return logs.OneLine("%(asctime)s gateway %(levelname)s %(message)s").format(record)


@pytest.mark.parametrize(
    "stranger", [FORGED, "a\rb", "a\x1b[2Jb", "a\u2028b", "a\u202eb", "a\x00b", "a\x85b", "\ud800"]
)
def test_a_text_stays_on_its_line_and_can_be_read(stranger: str) -> None:
    for written in (_written("incident 1 in " + stranger), _written("incident 1 in %s", (stranger,))):
        assert written.splitlines() == [written]
        assert written.isprintable()
        assert "\\" in written


def test_an_exceptions_lines_are_indented() -> None:
    try:
        raise ValueError(FORGED + "\x1b[2J")
    except ValueError:
        written = _written("incident 1", error=sys.exc_info())
    first, *rest = written.split("\n")
    assert first.endswith("gateway ERROR incident 1")
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@given(st.text(max_size=40))
def test_no_text_breaks_a_line(text: str) -> None:
    assert len(logs.escaped(text).splitlines()) <= 1
    assert logs.escaped("plain 中文\ttext") == "plain 中文\ttext"


def _frame(kind: int, payload: bytes) -> bytes:
    """An HTTP/2 frame of the connection (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, 0, 0, 0, 0, 0]) + payload


# As the gateway's process begins: with chassis first, then the library.
SERVER = """
import asyncio
import chassis
import grpc
async def serve():
    server = grpc.aio.server()
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.get_running_loop().run_in_executor(None, input)
    await server.stop(0)
asyncio.run(serve())
"""


async def test_the_librarys_log_has_no_text_of_a_peer() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(await asyncio.to_thread(process.stdout.readline))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    goaway = _frame(7, struct.pack(">II", 0, 11) + FORGED.encode())
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, b"") + goaway + _frame(6, bytes(8)))
    # It answers the ping, so it has read what came before.
    while b"\x00\x00\x08\x06\x01" not in await reader.read(4096):
        pass
    writer.close()
    _, told = await asyncio.to_thread(process.communicate, "\n")
    assert "all is well" not in told
    assert not told
