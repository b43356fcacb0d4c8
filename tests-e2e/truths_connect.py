"""From the printed setup URL to a worker that is seen."""

import urllib.parse

from brain import Brain, Project, Refused, equal, eventually, true

EMAIL = "operator@shop.example"
PASSWORD = "correct horse battery staple 7"


def setup_url_creates_the_admin_and_the_default_project(scene, _stack):
    equal("setup status", scene.brain.get("/setup/status")["needed"], True)
    address = urllib.parse.urlsplit(scene.options.setup_url)
    token = urllib.parse.parse_qs(address.query)["token"][0]
    try:
        scene.brain.post("/setup/complete", {"token": "not-the-token", "email": EMAIL, "password": PASSWORD})
        raise AssertionError("a wrong setup token was accepted")
    except Refused as refusal:
        equal("answer to a wrong setup token", (refusal.status, refusal.code), (403, "setup_token_invalid"))
    scene.brain.post("/setup/complete", {"token": token, "email": EMAIL, "password": PASSWORD, "display_name": "Ada"})
    equal("setup status afterwards", scene.brain.get("/setup/status")["needed"], False)
    scene.project = Project(scene.brain, "default")


def signing_in_gives_a_session_and_a_wrong_password_does_not(scene, _stack):
    fresh = Brain(scene.options.base)
    for path, body, wanted in (
        ("/auth/me", None, (401, "signed_out")),
        ("/auth/login", {"email": EMAIL, "password": PASSWORD + "x"}, (401, "bad_credentials")),
    ):
        try:
            fresh.call("GET" if body is None else "POST", path, body)
            raise AssertionError(f"{path} was allowed")
        except Refused as refusal:
            equal(f"answer of {path}", (refusal.status, refusal.code), wanted)
            true("an error has its request id", refusal.body.get("request_id"))
    fresh.post("/auth/login", {"email": EMAIL, "password": PASSWORD})
    me = fresh.get("/auth/me")
    equal("signed-in user", me["user"]["email"], EMAIL)
    true("an admin may retry tasks", "task.retry" in me["memberships"][0]["actions"])


def minted_agents_wait_as_never_connected(scene, _stack):
    for name in ("orders", "doomed", "wrong-secret"):
        minted = scene.project.mint(name)
        equal("state of a new agent", minted["agent"]["state"], "never_connected")
        true("both secrets are shown once", minted["token"] and minted["hmac_secret"])
        scene.credentials[name] = minted
    listed = str(scene.project.agents())
    for minted in scene.credentials.values():
        true("no list shows a token again", minted["token"] not in listed)
        true("no list shows the signing secret again", minted["hmac_secret"] not in listed)


def workers_with_four_variables_come_online(scene, stack):
    for name, queue in (("orders", "orders"), ("doomed", "parcels")):
        scene.start_worker(stack, name, scene.credentials[name], queue)
    for name in ("orders", "doomed"):
        agent_id = scene.credentials[name]["agent"]["id"]
        agent = eventually(f"agent {name} is online", lambda: _online(scene.project.agent(agent_id)))
        equal("engines", agent["engines"], ["celery"])
        equal("version of the agent", agent["agent_version"], "1.13.0")
        equal("protocol", agent["protocol_version"], "2")
        equal("connections", len(agent["connections"]), 1)
        equal("pid", agent["connections"][0]["pid"], scene.workers[name].process.pid)
        true("the agent can retry by reference", "retry_by_reference_v1" in agent["capabilities"]["celery"])


def _online(agent):
    return agent if agent["state"] == "online" else None


CASES = [
    setup_url_creates_the_admin_and_the_default_project,
    signing_in_gives_a_session_and_a_wrong_password_does_not,
    minted_agents_wait_as_never_connected,
    workers_with_four_variables_come_online,
]
