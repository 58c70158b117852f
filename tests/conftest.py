"""Every test has a data folder of its own, and the real pipeline."""

from __future__ import annotations

import http.server
import itertools
import os
import queue
import re
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORD_COUNT = {"path": str(ROOT / "examples" / "word-count")}


def script(source: str, **block):
    """A Python skill as an object."""
    return {"name": "script", "version": "1.0.0", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": source}, **block}


def module(text: str, **block):
    """A WebAssembly skill as an object, from its text form. It needs no interpreter: nothing long is compiled."""
    return {"name": "module", "version": "1.0.0", "runtime": {"entrypoint": "main.wat"}, "files": {"main.wat": text}, **block}


# Returns 42.
RETURNING = module(
    '(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
    ' (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00") (data (i32.const 16) "42")'
    ' (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))'
)
# Exits with code 3.
FAILING = module(
    '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    ' (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 3))))'
)
# Never ends.
ENDLESS = module('(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))')


# The binary lies beside the folder of the module that is tested.
BINARY = Path(os.environ.get("SRE_BINARY", ""))
needs_service = pytest.mark.skipif(not BINARY.is_file(), reason="SRE_BINARY names no binary")


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.received.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def receiver():
    """Takes callbacks."""
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received = queue.Queue()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def service(tmp_path_factory, receiver):
    """A service of its own, on a free port; callbacks may go to the receiver."""
    data = tmp_path_factory.mktemp("service")
    command = [str(BINARY), "serve", "--data-dir", str(data), "--listen", "127.0.0.1:0"]
    command += ["--set", 'callbacks.networks=["127.0.0.0/8"]', "--set", f"callbacks.ports=[{receiver.server_port}]"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if found := re.search(r"listening on (http://\S+)", line):
                    break
            else:
                raise AssertionError("the service did not start")
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield found[1], data
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("SRE_DATA_DIR", str(folder))
    yield folder


@pytest.fixture
def order_id():
    """A function that makes ids."""
    counter = itertools.count()
    return lambda: f"order-{os.getpid()}-{next(counter)}"
