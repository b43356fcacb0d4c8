"""What the brain says of workers, queues and agents, also when they are wrong or gone."""

import time
from pathlib import Path

from brain import equal, eventually, true

OFFLINE_LIMIT_SECONDS = 90


def worker_and_queue_are_listed_with_what_they_did(scene, _stack):
    worker = eventually("the worker's details have come", lambda: _with_pid(scene.project.workers().get(scene.workers["orders"].node)))
    equal("state", worker["state"], "online")
    equal("pid", worker["pid"], scene.workers["orders"].process.pid)
    equal("concurrency", worker["concurrency"], 2)
    equal("queues", worker["queues"], ["orders"])
    stats = scene.project.stats()["states"]
    equal("succeeded", worker["succeeded"], stats["success"])
    equal("failed", worker["failed"], stats["failure"])
    true("the queue is listed", "orders" in scene.project.queues())


def wrong_signing_secret_is_told_on_the_agents_page(scene, stack):
    minted = scene.credentials["wrong-secret"]
    forged = {"token": minted["token"], "hmac_secret": "A" * 43 + "="}
    with scene.start_worker(stack, "wrong-secret", forged, "nothing"):
        refusal = eventually("the refusal is on the agent's page", lambda: _agent(scene, "wrong-secret")["last_refusal"])
        equal("code", refusal["code"], "bad_signature")
        true("the refusal is a sentence", refusal["message"])
    equal("the others stay online", _agent(scene, "orders")["state"], "online")


def unknown_token_is_refused_and_told_in_the_log(scene, stack):
    log = Path(scene.options.brain_log)
    before = log.stat().st_size
    unknown = {"token": "T" * 43, "hmac_secret": scene.credentials["orders"]["hmac_secret"]}
    with scene.start_worker(stack, "unknown-token", unknown, "nothing") as worker:
        eventually("the agent is told 4401", lambda: worker.said("4401") or worker.said("auth"))
        lines = eventually("the log tells of it", lambda: [line for line in _since(log, before) if "token" in line])
        true("the log does not repeat the token", not any("T" * 43 in line for line in lines))
    equal("agents", len(scene.project.agents()), len(scene.credentials))
    equal("the others stay online", _agent(scene, "orders")["state"], "online")


def killed_worker_is_offline_within_ninety_seconds(scene, _stack):
    equal("state before", _worker_state(scene, "doomed"), "online")
    scene.workers["doomed"].kill()
    killed = time.monotonic()
    eventually("the agent is offline", lambda: _agent(scene, "doomed")["state"] == "offline", OFFLINE_LIMIT_SECONDS)
    left = OFFLINE_LIMIT_SECONDS - (time.monotonic() - killed)
    eventually("the worker is offline", lambda: _worker_state(scene, "doomed") == "offline", left)
    equal("the other agent", _agent(scene, "orders")["state"], "online")
    equal("the other worker", _worker_state(scene, "orders"), "online")


def revoked_agent_is_disconnected_and_stays_out(scene, _stack):
    agent_id = scene.credentials["orders"]["agent"]["id"]
    scene.brain.call("DELETE", f"{scene.project.root}/agents/{agent_id}")
    agent = eventually("its connection is closed", lambda: _without_connections(_agent(scene, "orders")))
    equal("state", agent["state"], "revoked")
    worker = scene.workers["orders"]
    true("the worker itself goes on", worker.process.poll() is None)


def what_people_did_is_in_the_audit_log(scene, _stack):
    page = scene.brain.get(f"{scene.project.root}/audit", limit=100)
    told = [entry for entry in page["items"] if entry["actor"]["kind"] == "user"]
    for name in ("charge", "report"):
        task = f"celery:{scene.sent[name]}"
        true(f"the command for {task} is told", any(entry["target_id"] == task for entry in told))
    agent_id = scene.credentials["orders"]["agent"]["id"]
    true("minting and revoking are told", sum(entry["target_id"] == agent_id for entry in told) >= 2)
    true("the chain is not broken", page["chain"]["verified"] is not False)


def _agent(scene, name):
    return scene.project.agent(scene.credentials[name]["agent"]["id"])


def _worker_state(scene, name):
    return scene.project.workers()[scene.workers[name].node]["state"]


def _with_pid(worker):
    return worker if worker and worker["pid"] else None


def _without_connections(agent):
    return agent if not agent["connections"] else None


def _since(log, offset):
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace").splitlines()


CASES = [
    worker_and_queue_are_listed_with_what_they_did,
    wrong_signing_secret_is_told_on_the_agents_page,
    unknown_token_is_refused_and_told_in_the_log,
    killed_worker_is_offline_within_ninety_seconds,
    revoked_agent_is_disconnected_and_stays_out,
    what_people_did_is_in_the_audit_log,
]
