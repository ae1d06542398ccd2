"""Runs a function's `bootstrap` as a process of the container that LocalStack runs in.

LocalStack's own way needs the engine's socket, a base image of AWS's and a program that is downloaded. A function of
ours is one static binary, and all it needs is the runtime API on a port of its own.
Source: AWS Lambda developer guide, using the Lambda runtime API (2018-06-01).
"""

import json
import os
import subprocess
import threading
import time
from concurrent.futures import Future, TimeoutError
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin

STOP_SECS = 2


class Plugin(RuntimeExecutorPlugin):
    name = "sopwith"

    def load(self, *_args, **_kwargs):
        return environment_class()


def failure(kind, message):
    """The body of an invocation whose process came to an end before it answered."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class RuntimeApi:
    """The runtime API for one process: what is to be done, and what came of it."""

    def __init__(self, timeout_secs):
        self.timeout_secs = timeout_secs
        self.asked = threading.Event()  # the process has asked for work: it is up
        self._todo = SimpleQueue()
        self._open = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self._server.server_address[1]

    def submit(self, job):
        """Gives `job` to the process; its future holds (whether it failed, the body)."""
        future = Future()
        self._open[job["invoke-id"]] = future
        self._todo.put(job)
        return future

    def settle(self, request, failed, body):
        future = self._open.pop(request, None)
        if future is not None:
            future.set_result((failed, body))

    def give_up(self, body):
        """Fails with `body` all that was handed to a process that is no more."""
        for request in list(self._open):
            self.settle(request, True, body)

    def close(self):
        self._todo.put(None)
        self._server.shutdown()
        self._server.server_close()

    def _next(self):
        self.asked.set()
        return self._todo.get()

    def _handler(api):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                job = api._next()
                if job is None:
                    return self.answer(410, b"", {})
                deadline = time.time() + api.timeout_secs
                self.answer(200, job["payload"].encode(), {
                    "Lambda-Runtime-Aws-Request-Id": job["invoke-id"],
                    "Lambda-Runtime-Invoked-Function-Arn": job["invoked-function-arn"],
                    "Lambda-Runtime-Trace-Id": job["trace-id"],
                    "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                })

            def do_POST(self):
                body = self.body()
                # .../runtime/invocation/<id>/response, .../error, and .../runtime/init/error
                *_, request, verdict = self.path.split("/")
                api.settle(request, verdict == "error", body)
                self.answer(202, b"{}", {})

            def body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = bytearray()
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return bytes(body)

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


class Process:
    """One run of a bootstrap with a runtime API of its own, and what it printed."""

    def __init__(self, directory, environment, timeout_secs):
        self.api = RuntimeApi(timeout_secs)
        self.lines = []
        self._child = subprocess.Popen(
            [os.path.join(directory, "bootstrap")], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace",
            env={**environment, "AWS_LAMBDA_RUNTIME_API": self.api.address, "LAMBDA_TASK_ROOT": directory},
        )
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        for line in self._child.stdout:
            self.lines.append(line)
        self.api.give_up(failure("Runtime.ExitError", f"the bootstrap ended with {self._child.wait()}"))

    @property
    def over(self):
        return self._child.poll() is not None

    def kill(self):
        self._child.kill()
        self._child.wait()

    def close(self):
        """Ends it, and its runtime API."""
        if not self.over:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.api.close()


def environment_class():
    from localstack import config
    from localstack.services.lambda_.invocation.lambda_models import InvocationResult
    from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

    class Environment(RuntimeExecutor):
        """An execution environment of one version of a function: one invocation at a time."""

        def __init__(self, id, function_version):
            super().__init__(id, function_version)
            self.settings, self.process = function_version.config, None

        def start(self, env_vars):
            self.environment = {
                "PATH": "/usr/bin:/bin",
                **{name: str(value) for name, value in env_vars.items()},
                "AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % config.GATEWAY_LISTEN[0].port,
            }
            self.spawn()
            while not self.process.api.asked.wait(0.02):
                if self.process.over:
                    raise LambdaRuntimeException("the bootstrap ended: " + self.get_logs())

        def spawn(self):
            directory = str(self.settings.code.get_unzipped_code_location())
            self.process = Process(directory, self.environment, self.settings.timeout)

        def invoke(self, payload):
            begun = time.monotonic()
            if self.process.over:
                self.process.close()
                self.spawn()
            process, said = self.process, len(self.process.lines)
            try:
                failed, body = process.api.submit(payload).result(self.settings.timeout)
            except TimeoutError:
                process.kill()
                failed, body = True, failure("Sandbox.Timedout", "Task timed out")
            request, millis = payload["invoke-id"], (time.monotonic() - begun) * 1000
            logs = [
                f"START RequestId: {request} Version: {self.function_version.id.qualifier}\n",
                *process.lines[said:],
                f"END RequestId: {request}\n",
                f"REPORT RequestId: {request}\tDuration: {millis:.2f} ms\n",
            ]
            return InvocationResult(request, body, is_error=failed, logs="".join(logs))

        def stop(self):
            if self.process:
                self.process.close()

        def get_address(self):
            return "127.0.0.1"

        def get_endpoint_from_executor(self):
            return "127.0.0.1"

        def get_runtime_endpoint(self):
            return "http://127.0.0.1:%d/_localstack_lambda/%s" % (config.GATEWAY_LISTEN[0].port, self.id)

        def get_logs(self):
            return "".join(self.process.lines) if self.process else ""

        @classmethod
        def prepare_version(cls, function_version):
            if function_version.config.code:
                function_version.config.code.prepare_for_execution()

        @classmethod
        def cleanup_version(cls, function_version):
            pass

    return Environment
