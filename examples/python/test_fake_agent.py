"""Tests of a program that talks to a guest agent, without a guest.

They start the stand-alone fake agent, whose path is in QGA_TESTSERVER; without it, the one that
`cargo build -p qga-testserver` has made. Python's standard library is enough:

    python3 -m unittest discover -s examples/python
"""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program():
    """The fake agent's path."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("QGA_TESTSERVER") or target / "debug" / "qga-testserver"


class Lines:
    """A connection that carries one JSON value a line."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(address.removeprefix("unix:"))
        self.file = self.socket.makefile("rwb")

    def ask(self, value):
        self.file.write(json.dumps(value).encode() + b"\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def close(self):
        self.file.close()
        self.socket.close()


class FakeAgent:
    """The program, a client's connection to its agent, and its control socket."""

    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory()
        at = lambda name: f"unix:{self.folder.name}/{name}"
        command = [program(), "--listen", at("qga"), "--control", at("control"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # It prints its addresses when it is ready.
        self.address = self.process.stdout.readline().strip()
        self.process.stdout.readline()
        self.client = Lines(self.address)
        self.control = Lines(at("control"))

    def execute(self, command, **arguments):
        return self.client.ask({"execute": command, "arguments": arguments})

    def tell(self, order, **values):
        reply = self.control.ask({"do": order, **values})
        if not reply["ok"]:
            raise AssertionError(reply["error"])
        return reply

    def stop(self):
        self.client.close()
        self.control.close()
        self.process.terminate()
        code = self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
        return code


class FakeAgentTest(unittest.TestCase):
    def setUp(self):
        self.agent = FakeAgent("--profile", "7.2")

    def tearDown(self):
        self.assertEqual(self.agent.stop(), 0)

    def test_a_guest_answers_like_a_real_one(self):
        info = self.agent.execute("guest-info")["return"]
        self.assertEqual(info["version"], "7.2.22")
        self.agent.tell("guest", guest={"host-name": "db1"})
        reply = self.agent.execute("guest-get-host-name")
        self.assertEqual(reply, {"return": {"host-name": "db1"}})

    def test_a_stub_answers_and_the_request_can_be_looked_at(self):
        self.agent.tell("stub", command="guest-of-ours", reply={"answer": 42}, expect=1)
        reply = self.agent.execute("guest-of-ours", question="life")
        self.assertEqual(reply, {"return": {"answer": 42}})
        seen = self.agent.tell("requests", command="guest-of-ours")["requests"]
        self.assertEqual(seen[0]["arguments"], {"question": "life"})
        self.agent.tell("verify")

    def test_a_program_runs_in_the_guest(self):
        self.agent.tell("program", program={"name": "uname", "stdout": "Linux\n", "exit": 3})
        pid = self.agent.execute("guest-exec", path="uname")["return"]["pid"]
        status = self.agent.execute("guest-exec-status", pid=pid)
        self.assertEqual(status, {"return": {"exitcode": 3, "exited": True}})

    def test_a_lost_reply_is_a_timeout(self):
        self.agent.tell("fault", fault="no-answer")
        self.agent.client.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.agent.execute("guest-ping")


if __name__ == "__main__":
    unittest.main()
