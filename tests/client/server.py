"""A stock rpyc server that speaks as the daemon does, or as a script on its command line wants it to fail.

    python tests/client/server.py '{"path": …, "log": …, "repository": …}'

Says `ready` when it listens; writes down every connection and call, a line of JSON each, bytes as Latin-1.
"""

import json
import os
import socket
import sys
import threading
from typing import Any

from rpyc import Service
from rpyc.core import brine, consts
from rpyc.utils.server import ThreadedServer

DEFAULTS: dict[str, Any] = {
    "protocol": 1,
    "states": [],  # of one hello after the other; then ready
    "connections": [],  # what happens to one connection after the other; then they are served
    "lose": 0,  # how many runs end with the connection
    "same_root": True,
    "code": 0,
    "out": "",
    "err": "",
    "repeat": 1,  # how often the output is repeated
}


class Daemon(Service):
    """The methods that the client calls. What `run` does depends on the last word of the command line."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = script
        self.cancelled = threading.Event()
        self.local = threading.local()

    def on_connect(self, conn: Any) -> None:
        self.local.connection = conn

    def exposed_hello(self, client: Any) -> Any:
        self.log("hello", client)
        state = self.script["states"].pop(0) if self.script["states"] else "ready"
        # A field more than this version knows of.
        return (self.script["protocol"], "9.9", os.getpid(), self.script["repository"], state, "more")

    def exposed_run(self, *arguments: Any) -> Any:
        self.log("run", *arguments)
        match arguments[0][-1]:
            case b"lose" if self.script["lose"]:
                self.script["lose"] -= 1
                self.local.connection._channel.stream.sock.shutdown(socket.SHUT_RDWR)
            case b"wait":
                self.cancelled.wait(60)
            case b"raise":
                raise ZeroDivisionError("one\ntwo \x1b[31mthree")
            case b"list":
                return [1, 2]
            case b"words":
                return ("no", "answer")
        script = self.script
        repeated = script["out"].encode("latin-1") * script["repeat"]
        return (script["code"], repeated, script["err"].encode("latin-1"))

    def exposed_cancel(self, request: str) -> bool:
        self.log("cancel", request)
        self.cancelled.set()
        return True

    def log(self, *entry: Any) -> None:
        line = json.dumps(entry, default=lambda raw: raw.decode("latin-1"))
        with open(self.script["log"], "a") as stream:
            stream.write(line + "\n")


class Server(ThreadedServer):
    def _accept_method(self, sock: socket.socket) -> None:
        script = self.service.script
        how = script["connections"].pop(0) if script["connections"] else "serve"
        self.service.log("connection", how)
        if how == "serve":
            super()._accept_method(sock)
        elif how == "close":
            sock.close()
        elif how == "read and close":
            sock.recv(65536)
            sock.close()
        elif how == "busy":
            description = (("cidx.daemon.service", "Busy"), ("all 512 connections are taken",), (), "")
            body = bytes((consts.MSG_EXCEPTION,)) + brine.dump((0, description))
            sock.sendall(len(body).to_bytes(4, "big") + b"\0" + body + b"\n")
            sock.close()
        elif how == "garbage":
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        else:
            assert how == "silence"  # the server holds the socket until it ends


def main() -> None:
    script = DEFAULTS | json.loads(sys.argv[1])
    service = Daemon(script)
    if script["same_root"]:
        service.____id_pack__ = ("cidx.Root", 1, 1)
    server = Server(service, socket_path=script["path"], protocol_config={"include_local_traceback": False})
    server._listen()
    print("ready", flush=True)
    server.start()


if __name__ == "__main__":
    main()
