"""A TCP proxy in front of PostgreSQL that sees a client's COMMIT and lets a test decide its fate.

Messages: postgresql.org/docs/current/protocol-message-formats.html.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 30.0


class Session:
    """One client's connection through the proxy, and the server's end of it."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        for end in (client, server):
            # Messages go on one by one: without this each waits 40 ms for the one before it.
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._commit = b""
        self._is_muted = False
        self._is_answered = threading.Event()

    # What a fate is made of.

    def forward(self) -> None:
        """Give the COMMIT to the server."""
        self._server.sendall(self._commit)

    def wait_for_answer(self) -> None:
        """Wait until the server has answered, which the client does not get to see."""
        assert self._is_answered.wait(ANSWER_WITHIN_S)

    def cut_client(self) -> None:
        close(self._client)

    def cut_server(self) -> None:
        close(self._server)

    # How it gets there.

    def relay(self) -> None:
        answers = threading.Thread(target=self._relay_answers, daemon=True)
        answers.start()
        with suppress(OSError):
            for message in self._messages():
                fate = self._proxy.fate if is_commit(message) else None
                if fate is None:
                    self._server.sendall(message)
                    continue
                self._proxy.fate = None
                self._commit = message
                self._is_muted = True
                fate(self)
                break
        close(self._client)
        close(self._server)

    def _relay_answers(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(2**16):
                if not self._is_muted:
                    self._client.sendall(data)
                elif b"COMMIT\0" in data:
                    self._is_answered.set()
        if not self._is_muted:
            close(self._client)

    def _messages(self) -> Iterator[bytes]:
        """What the client sends, message by message; an extended COMMIT with all that it takes."""
        with self._client.makefile("rb") as stream:
            # The first one has no type.
            header = b""
            while length := stream.read(4):
                message = header + length + stream.read(struct.unpack("!I", length)[0] - 4)
                if header == b"P" and is_commit(message):
                    while message[-5:] != b"S\0\0\0\4":
                        message += stream.read(1)
                yield message
                header = stream.read(1)


def is_commit(message: bytes) -> bool:
    """Whether it is a Query, or the Parse of an unnamed statement, that commits."""
    return message[:1] + message[5:] == b"QCOMMIT\0" or (
        message[:1] == b"P" and message[5:].startswith(b"\0COMMIT\0")
    )


def close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Proxy:
    """``url`` leads to the server through it; ``fate`` is that of the next COMMIT that passes."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._address = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        netloc = f"{parts.netloc.rpartition(':')[0]}:{port}"
        plain = "sslmode=disable&gssencmode=disable"
        self.url = parts._replace(netloc=netloc, query=plain).geturl()
        self.fate: Callable[[Session], None] | None = None
        self.lets_in = threading.Event()
        self.lets_in.set()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self.lets_in.wait()
        try:
            server = socket.create_connection(self._address)
        except OSError:
            close(client)
        else:
            Session(self, client, server).relay()

    def close(self) -> None:
        close(self._listener)


@contextmanager
def proxy(server_url: str) -> Iterator[Proxy]:
    between = Proxy(server_url)
    threading.Thread(target=between.serve, daemon=True).start()
    try:
        yield between
    finally:
        between.close()
