"""A small web application that is shipped blue-green by Turnout.

It needs nothing but Python's standard library.

    /          the greeting, with the version that answered
    /healthz   200 if the application can do its work, 503 and the reason if not
    /slow?s=N  answers after N seconds: to see that a switch cuts nobody off

Every answer carries the version in the header X-App-Version, so that Turnout can
distinguish the new version's answers from the old one's.
"""

import json
import os
import pathlib
import queue
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HERE = pathlib.Path(__file__).resolve().parent
LONGEST_SLOW_SECONDS = 60


def read_version():
    """The version: of the file VERSION, with the commit that the build put into the image."""
    version = (HERE / "VERSION").read_text(encoding="utf-8").strip()
    commit = os.environ.get("APP_COMMIT")
    return f"{version}+{commit[:12]}" if commit else version


class Greetings:
    """The greetings in greetings.json, and a worker that counts them."""

    def __init__(self, path):
        self.path = path
        self.counts = {}
        self.jobs = queue.Queue(maxsize=1000)
        self.worker = threading.Thread(target=self._work, daemon=True)
        self.worker.start()

    def load(self):
        """Reads the file; raises OSError or ValueError if it cannot be used."""
        greetings = json.loads(self.path.read_text(encoding="utf-8"))
        if not isinstance(greetings, dict) or "default" not in greetings:
            raise ValueError(f'{self.path.name} has no entry "default"')
        return greetings

    def greet(self, language):
        greetings = self.load()
        greeting = greetings.get(language, greetings["default"])
        try:
            self.jobs.put_nowait(greeting)
        except queue.Full:
            pass  # a count is lost, the answer is not
        return greeting

    def problem(self):
        """What keeps the application from working, or None."""
        try:
            self.load()
        except (OSError, ValueError) as error:
            return f"greetings: {error}"
        if not self.worker.is_alive():
            return "the counting worker has died"
        if self.jobs.full():
            return "the counting worker is stuck: its queue is full"
        return None

    def _work(self):
        while True:
            greeting = self.jobs.get()
            self.counts[greeting] = self.counts.get(greeting, 0) + 1


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; the application is in self.server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        route = {"/": self.root, "/healthz": self.healthz, "/slow": self.slow}.get(url.path)
        if route is None:
            self.answer(404, {"error": f"no such page: {url.path}"})
            return
        route(parse_qs(url.query))

    def root(self, query):
        greeting = self.server.greetings.greet(query.get("lang", ["default"])[0])
        self.answer(200, {"greeting": greeting, "version": self.server.version, "pod": os.environ.get("HOSTNAME", "")})

    def healthz(self, _query):
        problem = self.server.greetings.problem()
        if problem:
            self.answer(503, {"status": "failing", "problem": problem})
            return
        self.answer(200, {"status": "ok", "version": self.server.version})

    def slow(self, query):
        try:
            seconds = float(query.get("s", ["1"])[0])
        except ValueError:
            self.answer(400, {"error": "s must be a number of seconds"})
            return
        seconds = min(max(seconds, 0), LONGEST_SLOW_SECONDS)
        time.sleep(seconds)
        self.answer(200, {"slept": seconds, "version": self.server.version})

    def answer(self, status, body):
        content = (json.dumps(body) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-App-Version", self.server.version)
        if self.server.stopping.is_set():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        if self.path != "/healthz":  # asked every second
            print(f"{self.address_string()} {format % args}", flush=True)


class Server(ThreadingHTTPServer):
    """Accepts until stopped, and then lets requests in progress finish."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, version, greetings):
        super().__init__(address, Handler)
        self.version = version
        self.greetings = greetings
        self.stopping = threading.Event()
        self.busy = 0
        self.idle = threading.Condition()

    def process_request_thread(self, request, client_address):
        with self.idle:
            self.busy += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.idle:
                self.busy -= 1
                self.idle.notify_all()

    def drain(self, seconds):
        """Waits until no connection is open any more, at most this long."""
        with self.idle:
            return self.idle.wait_for(lambda: self.busy == 0, seconds)


def main():
    port = int(os.environ.get("PORT", "8080"))
    version = read_version()
    server = Server(("0.0.0.0", port), version, Greetings(HERE / "greetings.json"))

    def stop(*_):
        print("stopping: finishing the requests in progress", flush=True)
        server.stopping.set()
        threading.Thread(target=server.shutdown).start()  # it waits for serve_forever

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"version {version} listens on port {port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.socket.close()
    finished = server.drain(float(os.environ.get("DRAIN_SECONDS", "5")))
    print("stopped" if finished else "stopped: some connections were still open", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
