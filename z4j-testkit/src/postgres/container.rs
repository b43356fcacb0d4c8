//! A server in a container, for machines that have no server of their own: one for all test processes of a run.
//!
//! Each process holds a connection for as long as it lives. What runs in the container looks for connections, and ends the
//! server, and with it the container, once there has been none for a minute; so nothing is left behind however a run ends.

use std::time::Duration;

use sqlx::PgConnection;
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{
    ContainerRequest, GenericImage, ImageExt, ReuseDirective, TestcontainersError,
};

use super::shared::{lock_file, unlockable};
use super::{ServerMissing, admin};

const IMAGE: (&str, &str) = ("postgres", "17-alpine");
/// By this name the processes of a run find the same container.
const NAME: &str = "z4j-testkit-postgres";
const PORT: u16 = 5432;
/// For an image that must be fetched first.
const START_LIMIT: Duration = Duration::from_secs(300);

/// Runs the server until nobody was connected for a minute. Like the cluster of local programs it does not sync.
const SERVE: &str = r#"
docker-entrypoint.sh postgres -c fsync=off -c full_page_writes=off -c max_connections=400 -c timezone=UTC &
server=$!
quiet=0
others="SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
while kill -0 "$server" 2>/dev/null; do
  sleep 5
  if [ "$(psql -U z4j -d postgres -Atc "$others" 2>/dev/null)" = 0 ]; then quiet=$((quiet + 1)); else quiet=0; fi
  if [ "$quiet" -ge 12 ]; then kill -INT "$server"; fi
done
"#;

/// The URL of the maintenance database in the container. `missing` is why there is no other server.
pub(super) async fn url(missing: ServerMissing) -> Result<String, ServerMissing> {
    let (url, conn) = Box::pin(start_or_join(missing)).await?;
    // It says to the end of the process that the server is in use; the kernel closes it.
    std::mem::forget(conn);
    Ok(url)
}

async fn start_or_join(missing: ServerMissing) -> Result<(String, PgConnection), ServerMissing> {
    let starting = tokio::task::spawn_blocking(|| {
        let lock = lock_file(&std::env::temp_dir().join(format!("{NAME}.lock")))?;
        lock.lock().map_err(unlockable)?;
        Ok(lock)
    });
    // One process starts the container, the others find it.
    let _starting = starting.await.expect("the fixture does not panic")?;
    let url = run().await.map_err(|error| no_engine(&missing, &error))?;
    admin::wait_until_ready(&url).await?;
    let conn = admin::connect(&url).await?;
    Ok((url, conn))
}

async fn run() -> Result<String, TestcontainersError> {
    let container = request().start().await?;
    let host = container.get_host().await?;
    let port = container.get_host_port_ipv4(PORT).await?;
    Ok(format!(
        "postgres://z4j@{host}:{port}/postgres?sslmode=disable"
    ))
}

fn request() -> ContainerRequest<GenericImage> {
    GenericImage::new(IMAGE.0, IMAGE.1)
        .with_entrypoint("sh")
        .with_exposed_port(PORT.tcp())
        .with_cmd(["-c", SERVE])
        .with_env_var("POSTGRES_USER", "z4j")
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env_var("POSTGRES_INITDB_ARGS", "-E UTF8 --locale=C")
        .with_container_name(NAME)
        .with_reuse(ReuseDirective::Always)
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
        .with_startup_timeout(START_LIMIT)
}

fn no_engine(missing: &ServerMissing, error: &TestcontainersError) -> ServerMissing {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        said = format!("{said}: {deeper}");
        source = deeper.source();
    }
    // One sentence, on one line.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    ServerMissing::new(format!(
        "{missing}; or start a container engine such as Docker (DOCKER_HOST names its socket), which did not run {}:{}: {said}",
        IMAGE.0, IMAGE.1
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What the test below starts with an engine that is not there.
    const CHILD: &str = "postgres::container::tests::prints_why_there_is_no_server";

    #[tokio::test]
    #[ignore = "a part of the next test, which starts it in a process of its own"]
    async fn prints_why_there_is_no_server() {
        let missing = ServerMissing::new("set DATABASE_URL");
        let refusal = url(missing).await.expect_err("no engine answers there");
        println!("<{refusal}>");
    }

    #[test]
    fn without_an_engine_one_sentence_names_every_way_to_a_server() {
        let own = std::env::current_exe().expect("a test is a program");
        let mut child = Command::new(own);
        child.args([CHILD, "--exact", "--ignored", "--nocapture"]);
        // Nobody listens on the first port of all.
        let output = child.env("DOCKER_HOST", "tcp://127.0.0.1:1").output();
        let output = output.expect("the child runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        let sentence = said.split(['<', '>']).nth(1).expect("a sentence");
        assert!(
            sentence.starts_with("set DATABASE_URL; or start a container engine such as Docker"),
            "{sentence}"
        );
        assert!(!sentence.contains('\n'), "{sentence}");
        println!("{sentence}");
    }
}
