"""A small REST client of the brain, and waiting for what it says to become true. Standard library only."""

import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request

POLL_SECONDS = 0.2


class Refused(Exception):
    """An answer that is not 2xx, with the error object of the brain."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    @property
    def code(self):
        return self.body.get("error") if isinstance(self.body, dict) else None


class Brain:
    """One browser's worth of session: a cookie jar and a base address."""

    def __init__(self, base):
        self.base = base
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        # No proxy: everything is on the loopback.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def call(self, method, path, body=None, query=None):
        """Sends one request below `/api/v1`; returns the decoded body, `None` where there is none."""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Origin": self.base}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data=data, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=15) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _decoded(error.read())) from None
        return json.loads(text) if text else None

    def get(self, path, **query):
        return self.call("GET", path, query=query)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    def stream(self, path):
        """Yields (event, data) of a server-sent-event stream until the connection ends."""
        request = urllib.request.Request(f"{self.base}/api/v1{path}", headers={"Accept": "text/event-stream"})
        with self.opener.open(request, timeout=60) as answer:
            event, data = "message", []
            for raw in answer:
                line = raw.decode().rstrip("\r\n")
                if not line:
                    if data:
                        yield event, json.loads("\n".join(data))
                    event, data = "message", []
                elif line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())


class Project:
    """The routes below one project."""

    def __init__(self, brain, slug):
        self.brain = brain
        self.root = f"/projects/{slug}"

    def agents(self):
        return self.brain.get(f"{self.root}/agents")["items"]

    def agent(self, agent_id):
        return next(agent for agent in self.agents() if agent["id"] == agent_id)

    def mint(self, name):
        return self.brain.post(f"{self.root}/agents", {"name": name})

    def tasks(self, **query):
        return self.brain.get(f"{self.root}/tasks", **query)["items"]

    def task(self, task_id):
        return self.brain.get(f"{self.root}/tasks/celery/{task_id}")

    def events(self, task_id):
        return self.brain.get(f"{self.root}/tasks/celery/{task_id}/events")["items"]

    def workers(self):
        return {worker["name"]: worker for worker in self.brain.get(f"{self.root}/workers")["items"]}

    def queues(self):
        return {queue["name"]: queue for queue in self.brain.get(f"{self.root}/queues")["items"]}

    def stats(self):
        return self.brain.get(f"{self.root}/stats")

    def command(self, action, task_id):
        return self.brain.post(f"{self.root}/commands/{action}", {"engine": "celery", "task_id": task_id})

    def settled(self, command):
        """Waits until a command has reached a final status."""
        final = {"completed", "failed", "timed_out", "cancelled", "unknown"}
        path = f"{self.root}/commands/{command['id']}"
        return eventually("the command is settled", lambda: _if(lambda c: c["status"] in final, self.brain.get(path)))


def eventually(what, look, seconds=60):
    """Looks until the answer is truthy and returns it. A 404 means `not yet`; any other refusal is a fault."""
    until = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = look()
            if last:
                return last
        except Refused as refusal:
            if refusal.status != 404:
                raise
            last = refusal
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s (last seen: {last})")
        time.sleep(POLL_SECONDS)


def equal(what, seen, wanted):
    if seen != wanted:
        raise AssertionError(f"{what} is {seen!r}, should be {wanted!r}")


def true(what, condition):
    if not condition:
        raise AssertionError(what)


def _if(holds, value):
    return value if holds(value) else None


def _decoded(text):
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
