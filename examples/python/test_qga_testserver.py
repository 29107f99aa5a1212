"""Tests of a program that talks to a guest agent, without a guest; and of `qga_testserver.py`.

They run with Python's standard library alone, once `cargo build -p qga-testserver` has built the program:

    python3 -m unittest discover -s examples/python
"""

import importlib.util
import os
import pathlib
import sys
import types
import unittest
from unittest import mock

import qga_testserver
from qga_testserver import FakeAgent, OrderFailed

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
os.environ.setdefault("QGA_TESTSERVER", str(TARGET / "debug" / "qga-testserver"))


class Case(unittest.TestCase):
    options = ()

    def setUp(self):
        self.agent = FakeAgent(*self.options)
        self.addCleanup(lambda: self.assertEqual(self.agent.close(), 0))
        self.client = self.agent.connect()
        self.addCleanup(self.client.close)

    def execute(self, command, **arguments):
        return self.client.ask({"execute": command, "arguments": arguments})


class OfAnAgent(Case):
    options = ("--profile", "7.2")

    def test_a_guest_answers_like_a_real_one(self):
        info = self.execute("guest-info")["return"]
        self.assertEqual(info["version"], "7.2.22")
        self.agent.guest(host_name="db1")
        self.agent.guest(stop_milliseconds=5)
        self.assertEqual(self.execute("guest-get-host-name"), {"return": {"host-name": "db1"}})

    def test_a_stub_answers_and_the_request_can_be_looked_at(self):
        self.agent.stub("guest-of-ours", reply={"answer": 42}, expect=1)
        reply = self.execute("guest-of-ours", question="life")
        self.assertEqual(reply, {"return": {"answer": 42}})
        seen = self.agent.requests("guest-of-ours")
        self.assertEqual(seen[0]["arguments"], {"question": "life"})
        self.assertEqual(self.agent.wait("guest-of-ours"), seen)
        self.agent.verify()

    def test_a_program_runs_in_the_guest(self):
        self.agent.program("uname", stdout="Linux\n", exit=3)
        pid = self.execute("guest-exec", path="uname")["return"]["pid"]
        status = self.execute("guest-exec-status", pid=pid)
        self.assertEqual(status, {"return": {"exitcode": 3, "exited": True}})

    def test_a_lost_reply_is_a_timeout(self):
        self.agent.fault("no-answer")
        self.client.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.execute("guest-ping")


class OfTheModule(Case):
    def test_what_is_expected_is_counted(self):
        self.agent.stub("guest-ping", expect=1)
        for _ in range(2):
            self.assertEqual(self.execute("guest-ping"), {"return": {}})
        with self.assertRaisesRegex(OrderFailed, "guest-ping: expected 1 request, got 2"):
            self.agent.verify()
        self.agent.reset()
        self.agent.verify()
        self.agent.stub("guest-ping", expect=(1, None))
        with self.assertRaisesRegex(OrderFailed, "expected at least 1 request, got 0"):
            self.agent.verify()

    def test_a_stub_can_be_for_some_requests_only(self):
        self.agent.stub("x", arguments={"a": 1}, up_to=1, reply=None)
        self.assertEqual(self.execute("x", a=1), {"return": None})
        said = self.execute("x", a=1)["error"]["desc"]
        self.assertEqual(said, "the stub for x has answered as often as it may")
        self.agent.stub("x", error="no")
        self.assertEqual(self.execute("x")["error"], {"class": "GenericError", "desc": "no"})
        self.agent.stub("x", error=("CommandNotFound", "none"))
        self.assertEqual(self.execute("x")["error"]["class"], "CommandNotFound")

    def test_a_mistake_says_what_may_have_been_meant(self):
        with self.assertRaisesRegex(OrderFailed, "there is no fault `tron` .did you mean `torn`"):
            self.agent.fault("tron=5")
        with self.assertRaisesRegex(OrderFailed, "did you mean `host-name`"):
            self.agent.guest(hostname="x")
        with self.assertRaisesRegex(OrderFailed, "there is no order `verfy`"):
            self.agent.order("verfy")
        with self.assertRaisesRegex(OrderFailed, "did you mean `never-ends`"):
            self.agent.program("x", never_end=True)

    def test_the_guest_can_be_looked_into(self):
        self.agent.file("/etc/motd", "hello\n")
        self.assertEqual(self.agent.read_file("/etc/motd"), "hello\n")
        self.assertIsNone(self.agent.read_file("/no/such"))
        self.agent.program("job", never_ends=True)
        pid = self.execute("guest-exec", path="job")["return"]["pid"]
        self.assertEqual(self.agent.state(), {"frozen": False, "running": [pid]})
        self.assertTrue(self.agent.kill(pid))
        self.assertFalse(self.agent.kill(pid))
        self.agent.wake()
        self.agent.block("guest-exec")
        self.assertIn("disabled", self.execute("guest-exec", path="job")["error"]["desc"])

    def test_each_order_has_a_method(self):
        with self.assertRaises(OrderFailed) as failed:
            self.agent.order("?")
        orders = str(failed.exception).split("the orders are ")[1].split(", ")
        self.assertGreater(len(orders), 10)
        for order in orders:
            self.assertTrue(callable(getattr(self.agent, order.replace("-", "_"))), order)


class OfTheStart(unittest.TestCase):
    def test_an_agent_that_does_not_start_says_why(self):
        with self.assertRaisesRegex(OrderFailed, "there is no profile `5`"):
            FakeAgent("--profile", "5")

    def test_a_program_that_is_missing_is_named(self):
        with mock.patch.dict(os.environ, {"QGA_TESTSERVER": "", "PATH": ""}):
            with self.assertRaisesRegex(FileNotFoundError, "qga-testserver is neither in"):
                FakeAgent()

    def test_an_agent_can_listen_on_tcp(self):
        with mock.patch.object(FakeAgent, "_place", lambda *_: "tcp:127.0.0.1:0"):
            with FakeAgent() as agent:
                client = agent.connect()
                self.assertEqual(client.ask({"execute": "guest-ping"}), {"return": {}})
                client.close()


class OfTheFixture(unittest.TestCase):
    """pytest itself need not be there for these."""

    def fixture(self):
        fake = types.SimpleNamespace(fixture=lambda name: lambda function: function)
        spec = importlib.util.spec_from_file_location("copied", qga_testserver.__file__)
        module = importlib.util.module_from_spec(spec)
        with mock.patch.dict(sys.modules, {"pytest": fake}):
            spec.loader.exec_module(module)
        return module.fake_agent()

    def test_it_verifies_at_the_end(self):
        fixture = self.fixture()
        agent = next(fixture)
        agent.stub("guest-ping", expect=1)
        with self.assertRaisesRegex(AssertionError, "guest-ping: expected 1 request, got 0"):
            next(fixture)
        self.assertIsNotNone(agent._process.returncode)

    def test_it_ends_the_agent(self):
        fixture = self.fixture()
        agent = next(fixture)
        self.assertIsNone(next(fixture, None))
        self.assertEqual(agent._process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
