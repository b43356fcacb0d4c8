//! Which adapter a command is for, and what it asks of it.

use serde_json::{Map, Value};
use uuid::Uuid;
use z4j_core::engine::{EngineCommand, EngineDescriptor};
use z4j_core::id::CommandId;
use z4j_core::scheduler::{ScheduleChange, SchedulerDescriptor};
use z4j_core::wire::Command;

/// Actions that every engine is asked for, whatever it declared (wire §6.2).
const ALWAYS_ASKED: [&str; 2] = ["submit_task", "reconcile_task"];
/// Actions whose filter names the engine (wire §6.2).
const FILTERED: [&str; 2] = ["bulk_retry", "requeue_dead_letter"];
/// Actions that are the same when they carry the same `fire_id` (wire §6.1).
const FIRES: [&str; 3] = [
    "schedule.fire",
    "schedule.trigger_now",
    "schedule.trigger_now.via_scheduler",
];

/// What an agent has, in the order that [`Job`] counts in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Adapters {
    pub(crate) engines: Vec<EngineDescriptor>,
    pub(crate) schedulers: Vec<SchedulerDescriptor>,
}

/// What to run for a command.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Hand it to the engine at this index.
    Engine(usize, EngineCommand),
    /// Hand it to the scheduler at this index.
    Schedule(usize, ScheduleChange),
    /// Read all schedulers again.
    Resync,
}

/// A command frame, taken apart.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) frame_id: String,
    pub(crate) action: String,
    pub(crate) target: Map<String, Value>,
    pub(crate) parameters: Map<String, Value>,
}

impl Request {
    pub(crate) fn new(frame_id: &str, command: &Command<'_>) -> Self {
        Self {
            frame_id: frame_id.to_owned(),
            action: command.action.to_string(),
            target: command.target.decode_owned().unwrap_or_default(),
            parameters: command.parameters.decode_owned().unwrap_or_default(),
        }
    }

    /// What makes two commands the same command.
    pub(crate) fn key(&self) -> String {
        let fire_id =
            text(&self.parameters, "fire_id").filter(|_| FIRES.contains(&self.action.as_str()));
        fire_id.map_or_else(
            || format!("cmd:{}", self.frame_id),
            |id| format!("fire:{id}"),
        )
    }
}

/// Finds the adapter for a command.
///
/// # Errors
/// One sentence for the person who sent it.
pub(crate) fn route(request: Request, adapters: &Adapters) -> Result<Job, String> {
    match request.action.strip_prefix("schedule.") {
        None | Some("fire") => route_to_engine(request, adapters),
        Some("resync") => Ok(Job::Resync),
        Some(verb) => {
            let verb = verb.to_owned();
            route_to_scheduler(&request, &verb, adapters)
        }
    }
}

fn route_to_engine(mut request: Request, adapters: &Adapters) -> Result<Job, String> {
    let index = choose_engine(&request, &adapters.engines)?;
    let engine = adapters
        .engines
        .get(index)
        .ok_or("this agent has no engine")?;
    if request.action == "schedule.fire" {
        "submit_task".clone_into(&mut request.action);
        if let Some(name) = request.parameters.get("task_name").cloned() {
            request.parameters.insert("name".to_owned(), name);
        }
    }
    let token = match request.action.as_str() {
        "dlq.list" => "list_dead_letters",
        action => action,
    };
    if !ALWAYS_ASKED.contains(&token) && !engine.capabilities.iter().any(|have| have == token) {
        return Err(format!(
            "engine {} cannot do {}",
            engine.name, request.action
        ));
    }
    fill_from_target(&mut request, &engine.name);
    let command = EngineCommand {
        id: command_id(&request.frame_id),
        action: request.action,
        parameters: request.parameters,
    };
    Ok(Job::Engine(index, command))
}

fn choose_engine(request: &Request, engines: &[EngineDescriptor]) -> Result<usize, String> {
    let filter = request.parameters.get("filter").and_then(Value::as_object);
    let filtered = filter
        .filter(|_| FILTERED.contains(&request.action.as_str()))
        .and_then(|filter| text(filter, "engine"));
    let asked = text(&request.parameters, "engine");
    let targeted = text(&request.target, "engine");
    let name = match (filtered, asked, targeted) {
        (Some(name), _, _) => name,
        (None, Some(asked), Some(targeted)) if asked != targeted => {
            return Err(format!(
                "the command names two engines: {asked} and {targeted}"
            ));
        }
        (None, Some(name), _) | (None, None, Some(name)) => name,
        (None, None, None) => {
            return match engines {
                [_] => Ok(0),
                [] => Err("this agent has no engine".to_owned()),
                _ => Err("the command does not say which engine it is for".to_owned()),
            };
        }
    };
    let found = engines.iter().position(|engine| engine.name == name);
    found.ok_or_else(|| format!("this agent has no engine {name}"))
}

/// Old brains put the task's or worker's id into the target only (wire §6.4).
fn fill_from_target(request: &mut Request, engine: &str) {
    let id = text(&request.target, "task_id").or_else(|| text(&request.target, "id"));
    let Some(id) = id else {
        return;
    };
    let prefix = format!("{engine}:");
    let id = id.strip_prefix(&prefix).unwrap_or(id).to_owned();
    let member = match request.action.as_str() {
        "retry_task" | "cancel_task" | "requeue_dead_letter" | "reconcile_task" => "task_id",
        "restart_worker" | "pool_grow" | "pool_shrink" | "add_consumer" | "cancel_consumer" => {
            "worker_name"
        }
        _ => return,
    };
    if text(&request.parameters, member).is_none() {
        request
            .parameters
            .insert(member.to_owned(), Value::String(id));
    }
}

fn route_to_scheduler(request: &Request, verb: &str, adapters: &Adapters) -> Result<Job, String> {
    let id = text(&request.parameters, "schedule_id")
        .or_else(|| text(&request.target, "schedule_id"))
        .or_else(|| text(&request.target, "id"))
        .map(str::to_owned);
    let change = |make: fn(String) -> ScheduleChange| {
        let missing = || "the command does not say which schedule it is for".to_owned();
        id.clone().map(make).ok_or_else(missing)
    };
    let (token, change) = match verb {
        "enable" => ("enable", change(ScheduleChange::Enable)?),
        "disable" => ("disable", change(ScheduleChange::Disable)?),
        "delete" => ("delete", change(ScheduleChange::Delete)?),
        "trigger_now" | "trigger_now.via_scheduler" => {
            ("trigger_now", change(ScheduleChange::Trigger)?)
        }
        _ => {
            return Err(format!(
                "this agent does not know the schedule action {verb}"
            ));
        }
    };
    let index = choose_scheduler(request, &adapters.schedulers)?;
    let able =
        |scheduler: &SchedulerDescriptor| scheduler.capabilities.iter().any(|have| have == token);
    match adapters.schedulers.get(index) {
        Some(scheduler) if able(scheduler) => Ok(Job::Schedule(index, change)),
        Some(scheduler) => Err(format!("scheduler {} cannot do {token}", scheduler.name)),
        None => Err("this agent has no scheduler".to_owned()),
    }
}

fn choose_scheduler(
    request: &Request,
    schedulers: &[SchedulerDescriptor],
) -> Result<usize, String> {
    match text(&request.target, "scheduler").or_else(|| text(&request.parameters, "scheduler")) {
        Some(name) => {
            let found = schedulers
                .iter()
                .position(|scheduler| scheduler.name == name);
            found.ok_or_else(|| format!("this agent has no scheduler {name}"))
        }
        None if schedulers.len() == 1 => Ok(0),
        None => Err("the command does not say which scheduler it is for".to_owned()),
    }
}

/// A command's id is any short text on the wire and a UUID behind the seam; the same text always gives the same one.
fn command_id(frame_id: &str) -> CommandId {
    let derived = || Uuid::new_v5(&Uuid::NAMESPACE_OID, frame_id.as_bytes());
    CommandId::from_uuid(Uuid::parse_str(frame_id).unwrap_or_else(|_| derived()))
}

fn text<'a>(map: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    map.get(member)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn adapters(engines: &[&str]) -> Adapters {
        Adapters {
            engines: engines
                .iter()
                .map(|name| EngineDescriptor {
                    name: (*name).to_owned(),
                    capabilities: vec!["retry_task".to_owned(), "bulk_retry".to_owned()],
                })
                .collect(),
            schedulers: vec![SchedulerDescriptor {
                name: "cron".to_owned(),
                capabilities: vec!["enable".to_owned()],
            }],
        }
    }

    fn request(action: &str, target: Value, parameters: Value) -> Request {
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        Request {
            frame_id: "c1".to_owned(),
            action: action.to_owned(),
            target: object(target),
            parameters: object(parameters),
        }
    }

    fn engine_index(job: Result<Job, String>) -> usize {
        match job {
            Ok(Job::Engine(index, _)) => index,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_only_engine_is_chosen_when_none_is_named() {
        let job = route(
            request("retry_task", json!({}), json!({"task_id": "t"})),
            &adapters(&["a"]),
        );
        assert_eq!(engine_index(job), 0);
    }

    #[test]
    fn parameters_name_the_engine_before_the_target_does() {
        let job = route(
            request("retry_task", json!({"engine": "b"}), json!({})),
            &adapters(&["a", "b"]),
        );
        assert_eq!(engine_index(job), 1);
        let filter = json!({"filter": {"engine": "b"}, "engine": "a"});
        assert_eq!(
            engine_index(route(
                request("bulk_retry", json!({}), filter),
                &adapters(&["a", "b"])
            )),
            1
        );
    }

    #[test]
    fn two_different_engines_in_one_command_are_refused() {
        let command = request("retry_task", json!({"engine": "a"}), json!({"engine": "b"}));
        assert!(
            route(command, &adapters(&["a", "b"]))
                .unwrap_err()
                .contains("two engines")
        );
    }

    #[test]
    fn an_action_that_the_engine_did_not_declare_is_refused() {
        let refused = route(
            request("purge_queue", json!({}), json!({})),
            &adapters(&["a"]),
        );
        assert_eq!(refused.unwrap_err(), "engine a cannot do purge_queue");
        assert_eq!(
            engine_index(route(
                request("submit_task", json!({}), json!({})),
                &adapters(&["a"])
            )),
            0
        );
    }

    #[test]
    fn a_task_id_in_the_target_alone_is_used_without_its_engine_prefix() {
        let job = route(
            request("retry_task", json!({"id": "a:t-9"}), json!({})),
            &adapters(&["a"]),
        );
        match job {
            Ok(Job::Engine(_, command)) => {
                assert_eq!(command.parameters.get("task_id"), Some(&json!("t-9")))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_schedule_change_needs_a_scheduler_that_can_do_it() {
        let enable = route(
            request("schedule.enable", json!({"id": "s1"}), json!({})),
            &adapters(&[]),
        );
        assert!(matches!(enable, Ok(Job::Schedule(0, ScheduleChange::Enable(id))) if id == "s1"));
        let delete = route(
            request("schedule.delete", json!({"id": "s1"}), json!({})),
            &adapters(&[]),
        );
        assert_eq!(delete.unwrap_err(), "scheduler cron cannot do delete");
    }

    #[test]
    fn repeated_fires_share_a_key_whatever_their_frame() {
        let fire = request("schedule.fire", json!({}), json!({"fire_id": "f1"}));
        assert_eq!(fire.key(), "fire:f1");
        assert_eq!(
            request("retry_task", json!({}), json!({"fire_id": "f1"})).key(),
            "cmd:c1"
        );
    }
}
