//! The few REST calls that a bench needs: sign in, mint agents, count, read and write.

use anyhow::{Context, bail};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::credentials::Credentials;

/// Who signs in where.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The e-mail address.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
    /// The project's slug.
    pub(crate) project: String,
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    http: reqwest::Client,
    url: String,
    project: String,
    cookie: String,
    csrf: Option<String>,
}

impl Admin {
    /// Signs in.
    pub(crate) async fn sign_in(url: &str, login: &Login) -> anyhow::Result<Self> {
        let http = reqwest::Client::new();
        let answer = http
            .post(format!("{url}/api/v1/auth/login"))
            .header("sec-fetch-site", "same-origin")
            .json(&json!({"email": login.email, "password": login.password.expose_secret()}))
            .send()
            .await
            .with_context(|| format!("no brain answers at {url}"))?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED => {
                bail!("{url} refused the sign-in of {}", login.email)
            }
            status => bail!("the sign-in at {url} was answered with {status}"),
        }
        let cookies: Vec<String> = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        // Brains that want a double submit name the cookie so.
        let csrf = cookies
            .iter()
            .filter_map(|cookie| cookie.split_once('='))
            .find(|(name, _)| name.to_ascii_lowercase().contains("csrf"))
            .map(|(_, value)| value.to_owned());
        Ok(Self {
            http,
            url: url.to_owned(),
            project: login.project.clone(),
            cookie: cookies.join("; "),
            csrf,
        })
    }

    /// Mints an agent.
    pub(crate) async fn mint(&self, name: &str) -> anyhow::Result<Minted> {
        let (status, body) = self.post("agents", &json!({"name": name})).await?;
        if !status.is_success() {
            bail!(
                "minting an agent at {} was answered with {status}",
                self.url
            );
        }
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let secret = |pointer: &str| {
            let text = text(pointer).context("a minted agent came without credentials")?;
            anyhow::Ok(SecretString::from(text.to_owned()))
        };
        Ok(Minted {
            agent_id: text("/agent/id")
                .context("a minted agent came without an id")?
                .to_owned(),
            credentials: Credentials {
                url: self.url.clone(),
                label: format!("the minted agent {name}"),
                token: secret("/token")?,
                hmac_secret: secret("/hmac_secret")?,
            },
        })
    }

    /// The project's id.
    pub(crate) async fn project_id(&self) -> anyhow::Result<String> {
        let body = self.get("").await?;
        let id = body.get("id").and_then(Value::as_str);
        Ok(id.context("the project has no id")?.to_owned())
    }

    /// How many tasks the project holds, over all states.
    pub(crate) async fn task_count(&self) -> anyhow::Result<u64> {
        let body = self.get("stats").await?;
        let states = body.get("states").and_then(Value::as_object);
        let states = states.context("the project's numbers have no states")?;
        Ok(states.values().filter_map(Value::as_u64).sum())
    }

    /// Reads a path below the project.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.request(Method::GET, path);
        let answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status} to /{path}", self.url);
        }
        Ok(answer.json().await?)
    }

    /// Reads a path below the project to its end; answers how many bytes it had.
    pub(crate) async fn fetch(&self, path: &str) -> anyhow::Result<usize> {
        let answer = self.request(Method::GET, path).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status} to /{path}", self.url);
        }
        Ok(answer.bytes().await?.len())
    }

    /// Writes to a path below the project.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let answer = self.request(Method::POST, path).json(body).send().await?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = format!("{}/api/v1/projects/{}", self.url, self.project);
        let url = if path.is_empty() {
            base
        } else {
            format!("{base}/{path}")
        };
        let mut request = self
            .http
            .request(method, url)
            .header(COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin");
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        request
    }
}

/// A new agent.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    /// Its id.
    pub(crate) agent_id: String,
    /// What it connects with.
    pub(crate) credentials: Credentials,
}
