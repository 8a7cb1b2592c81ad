"""The page of the shop. It needs nothing but Python's standard library.

    /          the page, with the version that answered
    /healthz   200 if the page's template is usable

Every answer carries the version in the header X-App-Version: the file VERSION, and
the commit that the build put into the image.
"""

import os
import pathlib
import signal
import string
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text(encoding="utf-8").strip()
if os.environ.get("APP_COMMIT"):  # the build put it into the image
    VERSION += "+" + os.environ["APP_COMMIT"][:12]


def page():
    """The page; raises OSError or ValueError if its template cannot be used."""
    template = string.Template((HERE / "page.html").read_text(encoding="utf-8"))
    try:
        return template.substitute(version=VERSION)
    except KeyError as error:
        raise ValueError(f"page.html wants the unknown {error}") from error


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body = page()
        except (OSError, ValueError) as error:
            self.answer(503, f"{error}\n")
            return
        if self.path == "/healthz":
            body = "ok\n"
        self.answer(200, body)

    def answer(self, status, body):
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
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
