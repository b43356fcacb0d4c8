//! Statements of the fixture itself.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::ServerMissing;

/// How long a server may take until it answers.
pub(super) const START_LIMIT: Duration = Duration::from_secs(30);
/// How long the fixture looks away between two tries.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Connects to the database of `url`.
pub(super) async fn connect(url: &str) -> Result<PgConnection, ServerMissing> {
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
        ServerMissing::new(format!(
            "the URL of the test server cannot be used: {error}"
        ))
    })?;
    options
        .disable_statement_logging()
        // PgBouncer refuses start-up parameters that it does not know.
        .extra_float_digits(None)
        .connect()
        .await
        .map_err(|error| ServerMissing::new(format!("the test server cannot be used: {error}")))
}

/// Runs statements that are the fixture's own text.
pub(super) async fn run(conn: &mut PgConnection, sql: String) -> Result<(), ServerMissing> {
    let shown = sql.clone();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| ServerMissing::new(format!("the test server refused `{shown}`: {error}")))
}

/// Waits until the server answers.
pub(super) async fn wait_until_ready(url: &str) -> Result<(), ServerMissing> {
    let mut last = String::new();
    let answered = async {
        loop {
            match connect(url).await {
                Ok(conn) => {
                    let _ = conn.close().await;
                    return;
                }
                Err(refusal) => last = refusal.to_string(),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let waited = tokio::time::timeout(START_LIMIT, answered).await;
    waited.map_err(|_| ServerMissing::new(format!("the test server does not come up: {last}")))
}

/// `url` with another database.
pub(super) fn with_database(url: &str, database: &str) -> String {
    let (place, query) = url
        .split_once('?')
        .map_or((url, None), |(place, query)| (place, Some(query)));
    let after_scheme = place.find("://").map_or(0, |at| at + 3);
    let authority_end = place
        .get(after_scheme..)
        .and_then(|rest| rest.find('/'))
        .map_or(place.len(), |at| after_scheme + at);
    let authority = place.get(..authority_end).unwrap_or(place);
    match query {
        Some(query) => format!("{authority}/{database}?{query}"),
        None => format!("{authority}/{database}"),
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_of_a_url_changes() {
        let cases = [
            (
                "postgres://u:p@h:1/a?sslmode=require",
                "postgres://u:p@h:1/b?sslmode=require",
            ),
            ("postgres://u@h/a", "postgres://u@h/b"),
            ("postgres://u@h", "postgres://u@h/b"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "b"), expected);
        }
    }
}
