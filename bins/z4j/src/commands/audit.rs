//! `z4j audit`: is the chain whole, and what is its head.

use std::process::ExitCode;

use serde_json::{Value, json};
use z4j_brain::{ChainState, Operator};
use z4j_core::audit::{ChainHead, ChainId};
use z4j_core::keys::to_hex;

use crate::cli::Audit;
use crate::output;

/// Verifies, or exports the heads.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn run(
    operator: &Operator,
    command: Audit,
    json: bool,
) -> anyhow::Result<ExitCode> {
    match command {
        Audit::Verify => {
            let states = operator.verify_audit().await?;
            let is_whole = states.iter().all(|state| state.fault.is_none());
            let chains: Vec<Value> = states.iter().map(state_json).collect();
            output::print(
                json,
                &json!({ "whole": is_whole, "chains": chains }),
                || sentences(&states),
            )?;
            Ok(if is_whole {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Audit::ExportHead => {
            let heads: Vec<Value> = operator
                .audit_heads()
                .await?
                .iter()
                .map(|(chain, head)| head_json(*chain, head))
                .collect();
            output::print(true, &json!({ "heads": heads }), String::new)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn state_json(state: &ChainState) -> Value {
    json!({
        "chain": state.chain.to_string(),
        "entries": state.length,
        "head": state.head.as_ref().map(|head| head_json(state.chain, head)),
        "fault": state.fault.map(|fault| fault.to_string()),
    })
}

fn head_json(chain: ChainId, head: &ChainHead) -> Value {
    json!({ "chain": chain.to_string(), "seq": head.seq, "mac": to_hex(&head.mac) })
}

/// Never a plain "OK": a chain cannot show that its own tail was cut off.
fn sentences(states: &[ChainState]) -> String {
    let lines: Vec<String> = states
        .iter()
        .map(|state| match state.fault {
            Some(fault) => format!("{}: {fault}", state.chain),
            None => format!(
                "{}: {} entries fit together; without a head kept elsewhere a cut tail cannot be excluded",
                state.chain, state.length
            ),
        })
        .collect();
    if lines.is_empty() {
        "there are no audit entries yet".to_owned()
    } else {
        lines.join("\n")
    }
}
