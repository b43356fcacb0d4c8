//! The few REST calls that a bench needs: sign in, mint agents, count.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::process::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// What an agent connects with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The brain's base URL.
    pub(crate) url: String,
    /// The bearer token.
    pub(crate) token: String,
    /// The frame key as 44 characters.
    pub(crate) hmac_secret: String,
}

/// A signed-in admin.
#[derive(Debug)]
pub(crate) struct Admin {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Admin {
    /// Signs in to a brain that a bench started.
    pub(crate) async fn sign_in(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::new();
        let answer = http
            .post(format!("{url}/api/v1/auth/login"))
            .header("sec-fetch-site", "same-origin")
            .json(&json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}))
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "sign-in answered {}",
            answer.status()
        );
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .context("sign-in gave no cookie")?
            .to_owned();
        Ok(Self {
            http,
            url: url.to_owned(),
            cookie,
        })
    }

    /// Mints an agent in the project `default`.
    pub(crate) async fn mint(&self, name: &str) -> anyhow::Result<Credentials> {
        let answer = self
            .http
            .post(format!("{}/api/v1/projects/default/agents", self.url))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .json(&json!({"name": name}))
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "minting answered {}",
            answer.status()
        );
        let body: Value = answer.json().await?;
        let text = |member: &str| body[member].as_str().map(str::to_owned);
        Ok(Credentials {
            url: self.url.clone(),
            token: text("token").context("no token in the answer")?,
            hmac_secret: text("hmac_secret").context("no hmac_secret in the answer")?,
        })
    }

    /// How many tasks the project `default` holds, over all states.
    pub(crate) async fn task_count(&self) -> anyhow::Result<u64> {
        let body: Value = self
            .http
            .get(format!("{}/api/v1/projects/default/stats", self.url))
            .header("cookie", &self.cookie)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let states = body["states"]
            .as_object()
            .context("no states in the answer")?;
        Ok(states.values().filter_map(Value::as_u64).sum())
    }
}
