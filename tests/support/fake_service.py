"""A service that only answers `GET /health`; how it misbehaves is in FAKE_DIES, FAKE_STUBBORN and FAKE_CHILD."""

import http.server
import json
import os
import signal
import subprocess
import sys


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({k: v for k, v in os.environ.items() if k.startswith("FENGQIAO_")}).encode()
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main(name: str) -> None:
    if name in os.environ.get("FAKE_DIES", "").split(","):
        sys.exit(f"{name} cannot start: the reason is here")
    if name in os.environ.get("FAKE_STUBBORN", "").split(","):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if name in os.environ.get("FAKE_CHILD", "").split(","):
        child = subprocess.Popen(["sleep", "600"])
        print(f"child {child.pid}", flush=True)
    http.server.HTTPServer.allow_reuse_address = True
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["FENGQIAO_PORT"])), Health).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
