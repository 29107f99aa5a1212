"""A fake QEMU guest agent for tests in Python.

Copy this file next to your tests; it needs nothing but Python's standard library and the program
`qga-testserver`, which it takes from the environment variable QGA_TESTSERVER, or else from PATH.

With pytest, `from qga_testserver import fake_agent` in your conftest.py gives your tests a fixture:

    def test_our_tool_asks_for_the_host_name(fake_agent):
        fake_agent.stub("guest-get-host-name", reply={"host-name": "db1"}, expect=1)
        assert our_tool(fake_agent.address) == "db1"

It checks at the end of each test that every stub was used as often as expected. Without pytest, and for
an agent that is started with options, use a `with` statement:

    with FakeAgent("--profile", "7.2") as agent:
        agent.fault("no-answer")

The orders, the faults and the options are described in the page PROGRAM.md of `qga-testserver`.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile

try:
    import pytest
except ImportError:
    pytest = None

__all__ = ["FakeAgent", "Line", "OrderFailed", "fake_agent"]

#: For how long an answer is waited for, in seconds.
TIMEOUT = 30

#: What an argument is that was not given, where `None` has a meaning.
_ABSENT = object()


class OrderFailed(AssertionError):
    """What the fake agent complains of: a failed `verify`, or an order that it does not understand."""


class Line:
    """A connection that carries one JSON value a line."""

    def __init__(self, address, timeout=TIMEOUT):
        kind, _, place = address.partition(":")
        if kind == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
        elif kind == "tcp":
            self._socket = socket.socket(socket.AF_INET)
            host, _, port = place.rpartition(":")
            place = (host, int(port))
        else:
            raise ValueError(f"an address is unix:PATH or tcp:HOST:PORT, not {address!r}")
        self._socket.settimeout(timeout)
        self._socket.connect(place)
        self._file = self._socket.makefile("rwb")

    def settimeout(self, seconds):
        self._socket.settimeout(seconds)

    def ask(self, value):
        """Sends a value and returns the answer."""
        self._file.write(json.dumps(value).encode() + b"\n")
        self._file.flush()
        answer = self._file.readline()
        if not answer:
            raise ConnectionError("the connection was closed without an answer")
        return json.loads(answer)

    def close(self):
        self._file.close()
        self._socket.close()


class FakeAgent:
    """A fake guest agent that runs until it is closed.

    `address` is where your program connects to: `unix:PATH`, or `tcp:HOST:PORT` where Python has no
    Unix sockets. Options are those of the program, such as `--profile` or `--guest`.
    """

    def __init__(self, *options, program=None):
        program = program or os.environ.get("QGA_TESTSERVER") or shutil.which("qga-testserver")
        if not program:
            raise FileNotFoundError("qga-testserver is neither in QGA_TESTSERVER nor on PATH")
        self._folder = tempfile.TemporaryDirectory(prefix="qga-")
        self._errors = tempfile.TemporaryFile()
        listen = ["--listen", self._place("agent"), "--control", self._place("control")]
        self._process = subprocess.Popen(
            [program, *listen, *options], stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self._control = None
        try:
            # It prints its addresses when it is ready.
            self.address = self._ready()
            self._control = Line(self._ready().removeprefix("control "))
        except BaseException:
            self.close()
            raise

    def _place(self, name):
        has_unix = hasattr(socket, "AF_UNIX")
        return f"unix:{self._folder.name}/{name}" if has_unix else "tcp:127.0.0.1:0"

    def _ready(self):
        line = self._process.stdout.readline().strip()
        if not line:
            self._process.wait(TIMEOUT)
            self._errors.seek(0)
            raise OrderFailed(self._errors.read().decode(errors="replace").strip())
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the agent, and returns its exit code. Nothing is verified."""
        if self._control:
            self._control.close()
        self._process.terminate()
        try:
            code = self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        self._folder.cleanup()
        return code

    def connect(self, timeout=TIMEOUT):
        """A client of the agent, which has its turn like any other; close it."""
        return Line(self.address, timeout)

    def order(self, name, **fields):
        """Gives an order, and returns the answer. Underscores stand for dashes."""
        fields = {field.replace("_", "-"): value for field, value in fields.items()}
        answer = self._control.ask({"do": name.replace("_", "-"), **fields})
        if not answer.pop("ok"):
            raise OrderFailed(answer["error"])
        return answer

    def stub(
        self,
        command,
        *,
        arguments=None,
        reply=_ABSENT,
        error=None,
        fault=None,
        up_to=None,
        expect=None,
    ):
        """Says what the agent answers to a command.

        `error` is a text, or a class and a text. `expect` is a number, or a least and a greatest one,
        of which either may be None.
        """
        fields = {"arguments": arguments, "fault": fault, "up_to": up_to, "expect": expect}
        if isinstance(error, str):
            error = ("GenericError", error)
        if error is not None:
            fields["error"] = {"class": error[0], "desc": error[1]}
        if isinstance(expect, (tuple, list)):
            least, most = expect
            fields["expect"] = {"least": least or 0, "most": most}
        given = {name: value for name, value in fields.items() if value is not None}
        if reply is not _ABSENT:
            given["reply"] = reply
        self.order("stub", command=command, **given)

    def fault(self, fault):
        """Lets something go wrong: `FAULT[+FAULT...][@WHEN]`, such as `torn=5@3`."""
        self.order("fault", fault=fault)

    def requests(self, command=None):
        """The requests so far, the oldest first: dictionaries of `command`, `arguments` and `id`."""
        return self.order("requests", command=command)["requests"]

    def wait(self, command, count=1, seconds=10):
        """Waits for a number of requests for a command, and returns all of them."""
        milliseconds = int(seconds * 1000)
        answer = self.order("wait", command=command, count=count, milliseconds=milliseconds)
        return answer["requests"]

    def verify(self):
        """Fails unless every stub was used as often as expected."""
        self.order("verify")

    def reset(self):
        """Forgets stubs, faults and requests."""
        self.order("reset")

    def block(self, command):
        """Disables a command."""
        self.order("block", command=command)

    def file(self, path, content):
        """Puts a text file into the guest."""
        self.order("file", path=path, content=content)

    def read_file(self, path):
        """What a file of the guest holds; None if there is no such file."""
        return self.order("read-file", path=path)["content"]

    def program(self, name, **fields):
        """Gives the guest a program; fields are such as `stdout`, `exit` and `milliseconds`."""
        fields = {field.replace("_", "-"): value for field, value in fields.items()}
        self.order("program", program={"name": name, **fields})

    def guest(self, **fields):
        """Changes the guest; fields are such as `host_name` and `frozen`."""
        fields = {field.replace("_", "-"): value for field, value in fields.items()}
        self.order("guest", guest=fields)

    def state(self):
        """Whether the guest is `frozen`, and which processes are `running`."""
        return self.order("state")

    def kill(self, pid, signal=9):
        """Ends a process of the guest; false if it did not run."""
        return self.order("kill", pid=pid, signal=signal)["killed"]

    def wake(self):
        """Wakes the guest, or switches it on."""
        self.order("wake")

    def machine(self, event):
        """Lets something happen to the machine of an agent with the option `--monitor`, such as `panic` or `fill-disk`."""
        self.order("machine", event=event)


def _verified():
    """An agent for one test, which is verified at its end."""
    with FakeAgent() as agent:
        yield agent
        agent.verify()


# Without pytest it is there all the same, so that this file can be imported.
fake_agent = pytest.fixture(name="fake_agent")(_verified) if pytest else _verified
