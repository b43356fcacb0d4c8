//! What a brain may ask of the engine. A command that comes twice has one effect.

use std::time::Duration;

use serde_json::{Map, Value, json};
use z4j_core::engine::{CommandOutcome, EngineCommand};

use super::state::{Phase, Record};
use super::{DELAY_MAX, InprocEngine, JobSpec};

type Parameters = Map<String, Value>;

impl InprocEngine {
    pub(super) fn carry_out_once(&self, command: &EngineCommand) -> CommandOutcome {
        if let Some(first) = self.state().outcome_of(command.id) {
            return first;
        }
        let outcome = self.carry_out(command);
        if matches!(outcome, CommandOutcome::Done(_)) {
            self.state().remember(command.id, outcome.clone());
        }
        outcome
    }

    fn carry_out(&self, command: &EngineCommand) -> CommandOutcome {
        let parameters = &command.parameters;
        match command.action.as_str() {
            "submit_task" => self.submit_task(parameters),
            "retry_task" => self.retry_task(parameters),
            "cancel_task" => self.cancel_task(parameters),
            "purge_queue" => self.purge_queue(parameters),
            "reconcile_task" => self.reconcile_task(parameters),
            _ => CommandOutcome::Unsupported,
        }
    }

    fn submit_task(&self, parameters: &Parameters) -> CommandOutcome {
        let Some(name) = text(parameters, "name") else {
            return failed("submit_task needs a name");
        };
        let mut spec = JobSpec::new(name);
        if let Some(queue) = text(parameters, "queue") {
            spec = spec.on_queue(queue);
        }
        spec.args = array(parameters, "args").unwrap_or_default();
        spec.kwargs = object(parameters, "kwargs").unwrap_or_default();
        spec.delay = delay(parameters);
        match self.submit(spec) {
            Ok(task_id) => done(json!({"task_id": task_id, "engine": self.shared.config.name})),
            Err(error) => failed(&error.to_string()),
        }
    }

    /// A new job with the arguments of the old one, which never left this process.
    fn retry_task(&self, parameters: &Parameters) -> CommandOutcome {
        let Some(task_id) = text(parameters, "task_id") else {
            return failed("retry_task needs a task_id");
        };
        let mut spec = match self.state().jobs.get(task_id) {
            None => return failed("the engine does not know this task any more"),
            Some(record) if !record.phase.is_over() => {
                return failed(&format!(
                    "the task is {} and cannot be retried now",
                    record.phase.as_word()
                ));
            }
            Some(record) => record.spec.clone(),
        };
        if let Some(args) = array(parameters, "override_args") {
            spec.args = args;
        }
        if let Some(kwargs) = object(parameters, "override_kwargs") {
            spec.kwargs = kwargs;
        }
        spec.delay = delay(parameters);
        let task_name = spec.name.clone();
        match self.submit(spec) {
            Ok(new) => done(json!({"new_task_id": new, "task_name": task_name, "priority": null})),
            Err(error) => failed(&error.to_string()),
        }
    }

    fn cancel_task(&self, parameters: &Parameters) -> CommandOutcome {
        let Some(task_id) = text(parameters, "task_id") else {
            return failed("cancel_task needs a task_id");
        };
        let now = self.shared.config.env.now();
        let mut state = self.state();
        let Some(record) = state.jobs.get(task_id) else {
            return failed("the engine does not know this task");
        };
        let was_running = match &record.phase {
            Phase::Waiting => false,
            Phase::Running(attempt) => {
                attempt.abort();
                true
            }
            over => return failed(&format!("the task is finished: it is {}", over.as_word())),
        };
        let spec = record.spec.clone();
        state.drop_waiting(|waiting, _| waiting == task_id);
        state.finish(task_id, Phase::Revoked, now);
        self.shared.observer.revoked(task_id, &spec, was_running);
        done(json!({"task_id": task_id, "terminated": was_running}))
    }

    fn purge_queue(&self, parameters: &Parameters) -> CommandOutcome {
        let Some(queue) = text(parameters, "queue") else {
            return failed("purge_queue needs a queue");
        };
        let force = parameters
            .get("force")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let purged = self.drop_waiting(|record| record.spec.queue == queue);
        done(json!({"queue": queue, "depth_before": purged, "purged": purged, "force": force}))
    }

    /// Cancels waiting jobs, says so for each, and gives their number.
    pub(super) fn drop_waiting(&self, wanted: impl Fn(&Record) -> bool) -> usize {
        let now = self.shared.config.env.now();
        let mut state = self.state();
        let dropped = state.drop_waiting(|_, record| wanted(record));
        for task_id in &dropped {
            if let Some(spec) = state.jobs.get(task_id).map(|record| record.spec.clone()) {
                state.finish(task_id, Phase::Revoked, now);
                self.shared.observer.revoked(task_id, &spec, false);
            }
        }
        dropped.len()
    }

    fn reconcile_task(&self, parameters: &Parameters) -> CommandOutcome {
        let Some(task_id) = text(parameters, "task_id") else {
            return failed("reconcile_task needs a task_id");
        };
        let state = self.state();
        let record = state.jobs.get(task_id);
        let exception = record.and_then(|record| match &record.phase {
            Phase::Failure(kind) => Some(kind.clone()),
            _ => None,
        });
        done(json!({
            "task_id": task_id,
            "engine_state": record.map_or("unknown", |record| record.phase.as_engine_state()),
            "finished_at": record.and_then(|record| record.finished_at).map(|at| at.to_string()),
            "exception": exception,
        }))
    }
}

fn done(result: Value) -> CommandOutcome {
    match result {
        Value::Object(result) => CommandOutcome::Done(result),
        _ => CommandOutcome::Done(Map::new()),
    }
}

fn failed(reason: &str) -> CommandOutcome {
    CommandOutcome::Failed(reason.to_owned())
}

fn text<'a>(parameters: &'a Parameters, member: &str) -> Option<&'a str> {
    parameters
        .get(member)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn array(parameters: &Parameters, member: &str) -> Option<Vec<Value>> {
    parameters.get(member).and_then(Value::as_array).cloned()
}

fn object(parameters: &Parameters, member: &str) -> Option<Map<String, Value>> {
    parameters.get(member).and_then(Value::as_object).cloned()
}

fn delay(parameters: &Parameters) -> Duration {
    let seconds = parameters
        .get("eta_seconds")
        .and_then(Value::as_f64)
        .unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(Duration::ZERO)
        .min(DELAY_MAX)
}
