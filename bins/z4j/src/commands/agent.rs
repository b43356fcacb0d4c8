//! `z4j agent`: credentials without the browser.

use std::process::ExitCode;

use secrecy::ExposeSecret;
use serde_json::json;
use z4j_brain::{AgentCredentials, Operator};

use crate::cli::Agent;
use crate::output;

/// Mints, revokes or rotates.
///
/// # Errors
/// In one sentence: why it was not done.
pub(crate) async fn run(
    operator: &Operator,
    command: Agent,
    json: bool,
) -> anyhow::Result<ExitCode> {
    match command {
        Agent::Mint { project, name } => {
            let made = operator.mint_agent(&project, &name).await?;
            print_credentials(&project, &made, json)?;
        }
        Agent::Rotate { project, name } => {
            let made = operator.rotate_agent(&project, &name).await?;
            print_credentials(&project, &made, json)?;
        }
        Agent::Revoke { project, name } => {
            let id = operator.revoke_agent(&project, &name).await?;
            output::print(
                json,
                &json!({ "agent": { "id": id, "name": name }, "revoked": true }),
                || format!("the agent {name} has no rights any more"),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_credentials(project: &str, made: &AgentCredentials, json: bool) -> anyhow::Result<()> {
    let (token, hmac_secret) = (made.token.expose_secret(), made.hmac_secret.expose_secret());
    let answer = json!({
        "agent": { "id": made.agent_id, "project_id": made.project_id, "name": made.name },
        "token": token,
        "hmac_secret": hmac_secret,
    });
    output::print(json, &answer, || {
        format!(
            "Put these into the worker's environment; they are shown this once:\n\
             Z4J_TOKEN={token}\nZ4J_PROJECT_ID={project}\nZ4J_HMAC_SECRET={hmac_secret}"
        )
    })
}
