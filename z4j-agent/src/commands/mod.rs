//! Commands between their frame and their result: each is acknowledged at once, carried out once, answered once.

mod memory;
mod outcome;
mod route;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use z4j_core::command::is_safe_to_resend;
use z4j_core::limits;
use z4j_core::wire::Command;

use memory::CommandMemory;
pub(crate) use outcome::JobOutcome;
pub(crate) use outcome::ResultBody;
pub(crate) use route::Job;
pub(crate) use route::{Adapters, Request};

/// Commands that run or whose result waits to be written; more are refused.
pub(crate) const COMMANDS_OPEN_MAX: usize = 256;

/// Results that a link took and may have lost; older ones are not sent again.
const RESULTS_SENT_MAX: usize = 64;
/// A link that takes longer to be found dead than this is not alive by any other measure either (`limits::IDLE_WAIT`).
const RESULT_DOUBT: Duration = limits::IDLE_WAIT;

/// A job to run for a command.
#[derive(Clone, Debug)]
pub(crate) struct JobRequest {
    /// Names the job in [`CommandDesk::finish`].
    pub key: String,
    /// What to run.
    pub job: Job,
    /// The action, for messages.
    pub action: String,
    /// After this long nobody waits for the outcome any more.
    pub timeout: Duration,
}

/// A frame about a command that waits to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Ack {
        command_id: String,
        claim_token: Option<String>,
    },
    Result {
        command_id: String,
        claim_token: Option<String>,
        body: ResultBody,
    },
}

#[derive(Debug)]
struct Open {
    command_id: String,
    claim_token: Option<String>,
    /// The brain gives it to the next link when this one is gone.
    is_resent: bool,
    /// Counts the links before the one that it came on.
    link: u64,
}

/// An answer, and what is to be known of it once it was written.
#[derive(Debug)]
struct Queued {
    answer: Answer,
    /// When a link first took it.
    sent_at: Option<Duration>,
    /// It may be written to the next link too. Not what says that a command failed which may have been given out again since: that
    /// would speak for the second one.
    is_lasting: bool,
}

/// Takes commands in and gives answers out.
#[derive(Debug)]
pub(crate) struct CommandDesk {
    adapters: Adapters,
    memory: CommandMemory,
    running: HashMap<String, Open>,
    answers: VecDeque<Queued>,
    /// Results that this link took. Nobody acknowledges a result, and the link may end before the brain has read it.
    sent: VecDeque<Queued>,
    /// Counts links that ended.
    links: u64,
    refuses_new: bool,
}

impl CommandDesk {
    pub(crate) fn new(adapters: Adapters) -> Self {
        Self {
            adapters,
            memory: CommandMemory::default(),
            running: HashMap::new(),
            answers: VecDeque::new(),
            sent: VecDeque::new(),
            links: 0,
            refuses_new: false,
        }
    }

    /// The agent stops: what runs may end, new commands are refused.
    pub(crate) const fn refuse_new(&mut self) {
        self.refuses_new = true;
    }

    /// Takes a command in. Its ack is queued whatever comes of it; `Some` is a job to run.
    pub(crate) fn receive(
        &mut self,
        frame_id: &str,
        command: &Command<'_>,
        now: Duration,
    ) -> Option<JobRequest> {
        let claim_token = command.delivery_claim_token.clone();
        self.answers.push_back(Queued {
            answer: Answer::Ack {
                command_id: frame_id.to_owned(),
                claim_token: claim_token.clone(),
            },
            sent_at: None,
            is_lasting: false,
        });
        let request = Request::new(frame_id, command);
        let key = request.key();
        let open = Open {
            command_id: frame_id.to_owned(),
            claim_token,
            is_resent: is_safe_to_resend(&request.action),
            link: self.links,
        };
        if let Some(running) = self.running.get_mut(&key) {
            // The result goes to whoever asked last: that is who waits for it.
            *running = open;
            return None;
        }
        if let Some(result) = self.memory.recall(&key, now) {
            self.answer(open, ResultBody::done(result));
            return None;
        }
        if self.refuses_new {
            self.answer(open, ResultBody::failed("the agent is stopping"));
            return None;
        }
        if self.open_commands() >= COMMANDS_OPEN_MAX {
            self.answer(
                open,
                ResultBody::failed("the agent has too many open commands"),
            );
            return None;
        }
        let action = request.action.clone();
        match route::route(request, &self.adapters) {
            Err(reason) => {
                self.answer(open, ResultBody::failed(&reason));
                None
            }
            Ok(job) => {
                self.running.insert(key.clone(), open);
                let timeout = Duration::from_secs(u64::from(command.timeout_seconds.max(1)));
                Some(JobRequest {
                    key,
                    job,
                    action,
                    timeout,
                })
            }
        }
    }

    /// A job ended. Only a success is remembered: what failed may be tried again (wire §6.1).
    pub(crate) fn finish(&mut self, key: &str, outcome: &JobOutcome, now: Duration) {
        if let Some(open) = self.running.remove(key) {
            if let JobOutcome::Done(result) = outcome {
                self.memory.remember(key.to_owned(), result, now);
            }
            self.answer(open, ResultBody::from(outcome));
        }
    }

    /// The next answer to write; it stays until [`CommandDesk::written`].
    pub(crate) fn next_answer(&self) -> Option<&Answer> {
        self.answers.front().map(|queued| &queued.answer)
    }

    /// The link took the answer that was next.
    pub(crate) fn written(&mut self, now: Duration) {
        let is_old = |queued: &Queued| {
            let since = queued.sent_at.map(|at| now.saturating_sub(at));
            since.is_some_and(|since| since > RESULT_DOUBT)
        };
        while self.sent.len() >= RESULTS_SENT_MAX || self.sent.front().is_some_and(is_old) {
            self.sent.pop_front();
        }
        let Some(mut taken) = self.answers.pop_front().filter(|queued| queued.is_lasting) else {
            return;
        };
        taken.sent_at = taken.sent_at.or(Some(now));
        if let Answer::Result { body, .. } = &mut taken.answer {
            body.shorten(memory::RESULT_BYTES_MAX);
        }
        self.sent.push_back(taken);
    }

    /// The answer that is next cannot be sent as it is: its result is left out, or the answer is dropped when that was
    /// tried already. Says whether a result was lost by this.
    pub(crate) fn shrink_answer(&mut self, bytes: usize) -> bool {
        match self.answers.front_mut().map(|queued| &mut queued.answer) {
            Some(Answer::Result { body, .. }) if !body.result_dropped => {
                *body = body.without_large_result(bytes);
                true
            }
            _ => {
                self.answers.pop_front();
                false
            }
        }
    }

    /// The link is gone: acks mean nothing on the next one, lasting results are kept, and those that it took lately go again. A
    /// brain takes the first of each and passes over the others.
    pub(crate) fn link_down(&mut self, now: Duration) {
        self.links += 1;
        self.answers.retain(|queued| queued.is_lasting);
        while let Some(result) = self.sent.pop_back() {
            let since = result.sent_at.map(|at| now.saturating_sub(at));
            if since.is_some_and(|since| since <= RESULT_DOUBT) {
                self.answers.push_front(result);
            }
        }
    }

    /// Answers that wait; the reader of the link pauses when there are too many.
    pub(crate) fn answers_waiting(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing runs and nothing waits to be written.
    pub(crate) fn is_settled(&self) -> bool {
        self.running.is_empty() && self.answers.is_empty()
    }

    fn open_commands(&self) -> usize {
        let results = self.answers.iter().filter(|queued| queued.is_result());
        self.running.len() + results.count()
    }

    fn answer(&mut self, open: Open, body: ResultBody) {
        let is_lasting = !(open.is_resent && body.is_clear_failure());
        if !is_lasting && open.link != self.links {
            return;
        }
        self.answers.push_back(Queued {
            sent_at: None,
            is_lasting,
            answer: Answer::Result {
                command_id: open.command_id,
                claim_token: open.claim_token,
                body,
            },
        });
    }
}

impl Queued {
    const fn is_result(&self) -> bool {
        matches!(self.answer, Answer::Result { .. })
    }
}
