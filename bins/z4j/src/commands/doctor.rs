//! `z4j doctor`: is the set-up sound, in words.

use std::process::ExitCode;

use serde::Serialize;
use z4j_core::env::Env;

use crate::assemble;
use crate::output;
use crate::settings::{self, Settings};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    message: String,
}

/// Looks at everything and exits with 1 when something is wrong.
///
/// # Errors
/// When standard output is gone.
pub(crate) async fn run(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let findings = look(settings).await;
    let is_sound = findings.iter().all(|finding| finding.ok);
    output::print(json, &findings, || {
        let line = |finding: &Finding| {
            format!(
                "{} {}: {}",
                if finding.ok { "ok   " } else { "WRONG" },
                finding.check,
                finding.message
            )
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<Finding> = settings::unknown_variables()
        .into_iter()
        .map(|message| Finding {
            check: "environment",
            ok: false,
            message,
        })
        .collect();
    let (_brain, database) = match assemble::brain(settings).await {
        Ok(parts) => parts,
        Err(error) => {
            let message = format!("{error:#}");
            findings.push(Finding {
                check: "start",
                ok: false,
                message,
            });
            return findings;
        }
    };
    let (name, store) = (database.name(), database.store());
    findings.push(match store.probe(Env::system().now()).await {
        Ok(health) if health.warnings.is_empty() => Finding {
            check: "database",
            ok: true,
            message: format!("{name} takes durable writes"),
        },
        Ok(health) => Finding {
            check: "database",
            ok: false,
            message: health.warnings.join("; "),
        },
        Err(fault) => Finding {
            check: "database",
            ok: false,
            message: fault.to_string(),
        },
    });
    findings.push(match store.has_users().await {
        Ok(true) => Finding {
            check: "people",
            ok: true,
            message: "somebody can sign in".into(),
        },
        Ok(false) => Finding {
            check: "people",
            ok: true,
            message: "nobody can sign in yet: z4j serve prints the setup URL".into(),
        },
        Err(fault) => Finding {
            check: "people",
            ok: false,
            message: fault.to_string(),
        },
    });
    let is_built = z4j_ui::is_built();
    let message = if is_built {
        "built in"
    } else {
        "not built in: run cargo xtask serve"
    };
    findings.push(Finding {
        check: "dashboard",
        ok: is_built,
        message: message.into(),
    });
    findings.extend(clocks(&*store).await);
    findings
}

/// Agents whose clock differs by more than a minute cannot work (`reliability.md` D12): say which, and by how much.
async fn clocks(store: &dyn z4j_core::store::Store) -> Vec<Finding> {
    let mut findings = Vec::new();
    for project in store.projects().await.unwrap_or_default() {
        for agent in store.agents(project.id).await.unwrap_or_default() {
            let refusal = agent
                .last_refusal
                .filter(|refusal| refusal.skew_ms.is_some());
            if let Some(refusal) =
                refusal.filter(|refusal| agent.last_seen_at.is_none_or(|seen| seen <= refusal.at))
            {
                let message = format!(
                    "agent {} of {}: {}",
                    agent.name, project.slug, refusal.message
                );
                findings.push(Finding {
                    check: "clocks",
                    ok: false,
                    message,
                });
            }
        }
    }
    findings
}
