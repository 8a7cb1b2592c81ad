"""The shop's interface for programs. It needs nothing but Python's standard
library.

    /api/stock   what there is
    /healthz     200 if the stock can be read

Every answer carries the version in the header X-App-Version.
"""

import json
import os
import pathlib
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text(encoding="utf-8").strip()
if os.environ.get("APP_COMMIT"):  # the build put it into the image
    VERSION += "+" + os.environ["APP_COMMIT"][:12]


def stock():
    """What there is; raises OSError or ValueError if it cannot be read."""
    return json.loads((HERE / "stock.json").read_text(encoding="utf-8"))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            goods = stock()
        except (OSError, ValueError) as error:
            self.answer(503, {"error": str(error)})
            return
        if self.path == "/healthz":
            self.answer(200, {"status": "ok"})
        elif self.path == "/api/stock":
            self.answer(200, {"stock": goods, "version": VERSION})
        else:
            self.answer(404, {"error": f"no such page: {self.path}"})

    def answer(self, status, body):
        content = (json.dumps(body) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-App-Version", VERSION)
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for the requests in progress


def main():
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "8080"))), Handler)
    # shutdown waits for serve_forever, which the signal interrupted.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
