"""No test reaches the network: what conftest.py closes is closed, and this machine stays open."""

import os
import socket
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests
from conftest import NetworkWanted


def test_a_name_and_an_address_elsewhere_are_refused():
    """By whatever library, with a message that names the host; before any packet leaves."""
    with pytest.raises(NetworkWanted, match="the network for physionet.org"):
        socket.getaddrinfo("physionet.org", 443)
    with socket.socket() as made, pytest.raises(NetworkWanted, match="192.0.2.1"):
        made.connect(("192.0.2.1", 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made, pytest.raises(NetworkWanted, match="192.0.2.1"):
        made.sendto(b"?", ("192.0.2.1", 53))
    session = requests.Session()
    session.trust_env = False  # past the proxy that is not there
    with pytest.raises(NetworkWanted, match="example.org"):
        session.get("http://example.org/")


def test_other_processes_are_told_of_a_proxy_that_is_not_there():
    """What a test starts reads it: curl, pip, Python."""
    for name in ("http_proxy", "https_proxy"):
        assert urllib.request.getproxies_environment()[name.removesuffix("_proxy")] == "http://127.0.0.1:9"
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_this_machine_answers():
    """A server on 127.0.0.1 is reached, by its number and by name, whatever the proxy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for host in ("127.0.0.1", "localhost"):
            assert requests.get(f"http://{host}:{server.server_port}/").status_code == 204
        server.shutdown()
