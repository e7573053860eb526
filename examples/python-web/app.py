#!/usr/bin/env python3
"""A small web application: its page says which one it is, which instance answered, and for whom.

TEXT       what it says
VERSION    the version of the image
PORT       where it listens, 8080 if it is not set
"""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = os.environ.get("TEXT", "nobody in particular")
VERSION = os.environ.get("VERSION", "1")
INSTANCE = os.environ.get("ORCHESTRATOR_HOSTNAME") or socket.gethostname()


class Page(BaseHTTPRequestHandler):
    """Answers every path with two lines of text."""

    protocol_version = "HTTP/1.1"
    # The head and the page leave together.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        client = self.headers.get("X-Forwarded-For", self.client_address[0])
        body = f"I am {TEXT}, version {VERSION}\ninstance {INSTANCE}, asked by {client}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        print(self.address_string(), format % arguments, flush=True)


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


if __name__ == "__main__":
    # Whoever stops it has made sure that nothing leads here any more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("::", int(os.environ.get("PORT", "8080"))), Page).serve_forever()
