"""What the brain says of tasks, and what it does to them."""

import queue
import threading
from pathlib import Path

import celery_app as shop
from brain import Refused, equal, eventually, true
from shop import HOST

SECRET = "hunter2-never-stored"
CUSTOMER = "ada.lovelace@customer.example"
NODE = f"orders@{HOST}"
TWINS = 6


def live_stream_shows_a_task_without_being_asked(scene, _stack):
    seen = queue.Queue(maxsize=10_000)

    def listen():
        try:
            for message in scene.brain.stream(f"{scene.project.root}/stream"):
                seen.put_nowait(message)
        except OSError:
            # The connection ends with the brain.
            pass

    threading.Thread(target=listen, daemon=True).start()
    equal("first message of a fresh stream", seen.get(timeout=30)[0], "ready")
    sent = shop.ping.delay(0).id
    scene.sent["watched"] = sent
    states = []
    while "success" not in states:
        event, data = seen.get(timeout=30)
        if event == "tasks":
            states += [task["state"] for task in data["items"] if task["task_id"] == sent]


def succeeded_task_is_told_in_full(scene, _stack):
    sent = shop.place_order.delay(7, customer_email=CUSTOMER, password=SECRET).id
    scene.sent["order"] = sent
    task = in_state(scene, sent, "success")
    is_orders_task(task, "shop.tasks.place_order")
    equal("positional arguments", task["args"], [7])
    true("the result is there", "accepted" in str(task["result"]))
    equal("retries", task["retry_count"], 0)
    true("a runtime is known", task["runtime_ms"] is not None and task["runtime_ms"] >= 0)
    equal("agent", task["agent_id"], scene.credentials["orders"]["agent"]["id"])
    in_order(scene, task)


def secrets_in_arguments_are_stored_nowhere(scene, _stack):
    task = scene.project.task(scene.sent["order"])
    equal("keyword arguments", task["kwargs"], {"customer_email": "[REDACTED]", "password": "[REDACTED]"})
    for needle in (SECRET, CUSTOMER, scene.credentials["orders"]["token"]):
        for file in Path(scene.options.brain_data).rglob("*"):
            if file.is_file():
                true(f"{file.name} holds no secret", needle.encode() not in file.read_bytes())


def failed_task_has_its_error_and_its_runtime(scene, _stack):
    sent = shop.charge_card.delay(120).id
    scene.sent["charge"] = sent
    task = in_state(scene, sent, "failure")
    is_orders_task(task, "shop.tasks.charge_card")
    equal("exception", task["exception"], "ValueError")
    true("the message is there", "card declined for 120" in task["exception_message"])
    true("the traceback names the application's frames", "in _charge" in task["traceback"] and "in charge_card" in task["traceback"])
    true(f"a runtime of a failure is measured ({task['runtime_ms']})", 150 <= (task["runtime_ms"] or 0) < 10_000)
    in_order(scene, task)


def retried_task_counts_its_retries_and_succeeds(scene, _stack):
    sent = shop.sync_stock.delay("sku-7").id
    scene.sent["stock"] = sent
    task = in_state(scene, sent, "success")
    is_orders_task(task, "shop.tasks.sync_stock")
    equal("retries", task["retry_count"], 2)
    equal("tries again in its events", kinds(scene, sent).count("task.retried"), 2)
    equal("parent of a task that only retried itself", task["parent_task_id"], None)
    in_order(scene, task)


def tasks_of_one_kind_in_one_second_stay_apart(scene, _stack):
    twins = [shop.ping.delay(number).id for number in range(1, TWINS + 1)]
    scene.sent["twins"] = twins
    tasks = [in_state(scene, sent, "success") for sent in twins]
    seconds = [task["received_at"][:19] for task in tasks]
    true("at least two of them came in one second", len(set(seconds)) < len(seconds))
    equal("their arguments", [task["args"] for task in tasks], [[number] for number in range(1, TWINS + 1)])
    for task in tasks:
        is_orders_task(task, "shop.tasks.ping")
        in_order(scene, task)
    listed = {task["task_id"] for task in scene.project.tasks(name="shop.tasks.ping", limit=100)}
    true("the list has every one", set(twins) <= listed)


def events_told_by_two_agents_are_stored_once(scene, _stack):
    # Both workers watch the broker, so both agents report what happens to every task.
    for sent in [scene.sent["order"], *scene.sent["twins"]]:
        equal("events of a task", sorted(kinds(scene, sent)), ["task.received", "task.started", "task.succeeded"])


def filters_find_exactly_what_they_say(scene, _stack):
    failed = scene.project.tasks(state="failure")
    equal("failed tasks", [task["task_id"] for task in failed], [scene.sent["charge"]])
    names = {task["name"] for task in scene.project.tasks(worker=NODE, queue="orders", limit=500)}
    wanted = {"shop.tasks.place_order", "shop.tasks.charge_card", "shop.tasks.sync_stock", "shop.tasks.ping"}
    equal("names of the tasks of one worker and queue", names, wanted)


def counts_are_of_tasks_and_not_of_events(scene, _stack):
    states = scene.project.stats()["states"]
    counted = {state: count for state, count in states.items() if count}
    equal("tasks by state", counted, {"success": 3 + TWINS, "failure": 1})


def retry_by_reference_runs_again_and_links_both_ways(scene, _stack):
    original = scene.sent["charge"]
    command = scene.project.settled(scene.project.command("retry-task", original))
    equal("status of the retry", command["status"], "completed")
    again = command["result"]["new_task_id"]
    true("a retry is a new task", again != original)
    task = in_state(scene, again, "failure")
    is_orders_task(task, "shop.tasks.charge_card")
    equal("arguments of the retry", task["args"], [120])
    equal("retry_of of the new task", task["retry_of"], original)
    equal("retried_as of the old task", scene.project.task(original)["retried_as"], again)


def cancel_of_a_running_task_revokes_it(scene, _stack):
    sent = shop.export_report.delay(120).id
    scene.sent["report"] = sent
    in_state(scene, sent, "started")
    command = scene.project.settled(scene.project.command("cancel-task", sent))
    equal("status of the cancel", command["status"], "completed")
    task = in_state(scene, sent, "revoked")
    is_orders_task(task, "shop.tasks.export_report")
    in_order(scene, task)


def cancel_of_a_finished_task_says_that_it_was_finished(scene, _stack):
    before = len(commands(scene))
    for name, state in (("order", "success"), ("charge", "failure")):
        try:
            scene.project.command("cancel-task", scene.sent[name])
            raise AssertionError("a finished task was cancelled")
        except Refused as refusal:
            equal("answer", (refusal.status, refusal.code), (409, "task_finished"))
            true(f"the message names the state ({refusal.body['message']})", state in refusal.body["message"])
    equal("commands left behind", len(commands(scene)), before)


def commands_are_kept_with_who_sent_them(scene, _stack):
    kept = {command["action"]: command for command in commands(scene)}
    equal("actions", set(kept), {"retry_task", "cancel_task"})
    equal("target", kept["cancel_task"]["target_id"], f"celery:{scene.sent['report']}")
    for command in kept.values():
        true("a command has times in order", command["issued_at"] <= command["dispatched_at"] <= command["completed_at"])
        true("a command names its sender", command["issued_by_name"])


def commands(scene):
    return scene.brain.get(f"{scene.project.root}/commands", limit=100)["items"]


def in_state(scene, task_id, state):
    def look():
        task = scene.project.task(task_id)
        # A placeholder name means that `received` has not come yet: tasks are told by several processes.
        return task if task["state"] == state and task["received_at"] else None

    return eventually(f"task {task_id} is {state}", look)


def kinds(scene, task_id):
    return [event["kind"] for event in scene.project.events(task_id)]


def is_orders_task(task, name):
    equal("name", task["name"], name)
    equal("queue", task["queue"], "orders")
    equal("worker", task["worker_name"], NODE)


def in_order(scene, task):
    """Times of a task and of its events never run backwards."""
    times = [task["received_at"], task["started_at"], task["finished_at"]]
    true(f"all three times are known: {times}", all(times))
    true(f"the times run forward: {times}", times == sorted(times))
    occurred = [event["occurred_at"] for event in scene.project.events(task["task_id"])]
    true(f"the events run forward: {occurred}", occurred == sorted(occurred))


CASES = [
    live_stream_shows_a_task_without_being_asked,
    succeeded_task_is_told_in_full,
    secrets_in_arguments_are_stored_nowhere,
    failed_task_has_its_error_and_its_runtime,
    retried_task_counts_its_retries_and_succeeds,
    tasks_of_one_kind_in_one_second_stay_apart,
    events_told_by_two_agents_are_stored_once,
    filters_find_exactly_what_they_say,
    counts_are_of_tasks_and_not_of_events,
    retry_by_reference_runs_again_and_links_both_ways,
    cancel_of_a_running_task_revokes_it,
    cancel_of_a_finished_task_says_that_it_was_finished,
    commands_are_kept_with_who_sent_them,
]
