//! `z4j user`: people without the browser. Passwords come on standard input, never as an argument that others can see.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use secrecy::SecretString;
use serde_json::json;
use z4j_brain::Operator;
use z4j_core::policy::Role;

use crate::cli::User;
use crate::output;

/// Creates a person or sets a password.
///
/// # Errors
/// In one sentence: why it was not done.
pub(crate) async fn run(
    operator: &Operator,
    command: User,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let password = password()?;
    match command {
        User::Create {
            email,
            name,
            admin,
            project,
            role,
        } => {
            let role = role
                .map(|role| {
                    role.parse::<Role>()
                        .context("the role is viewer, auditor, operator or admin")
                })
                .transpose()?;
            let membership = project.as_deref().zip(role);
            let id = operator
                .create_user(&email, &password, name.as_deref(), admin, membership)
                .await?;
            output::print(
                json,
                &json!({ "user": { "id": id, "email": email } }),
                || format!("{email} can sign in"),
            )?;
        }
        User::SetPassword { email } => {
            let id = operator.set_password(&email, &password).await?;
            output::print(
                json,
                &json!({ "user": { "id": id, "email": email } }),
                || format!("{email} has a new password; their sessions have ended"),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn password() -> anyhow::Result<SecretString> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D:");
    }
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .context("the password cannot be read from standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "give the password on standard input");
    Ok(SecretString::from(password.to_owned()))
}
