//! What the strict policy finds in text, each shape beside text that only looks like it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test program: a failure is a panic"
)]

use z4j_core::redact::{DefaultRedactor, MARKER, Raw, RedactConfig, redact_json, redact_text};
use z4j_core::wire::RawJson;

/// The text alone, and as a value of JSON, where it may take the short cut.
#[track_caller]
fn assert_kept(text: &str, kept: bool) {
    let strict = DefaultRedactor::strict();
    let expected = if kept { text } else { MARKER };
    assert_eq!(&**redact_text(&strict, Raw::new(text)).get(), expected);
    let json = serde_json::to_string(&[text]).unwrap();
    let out = redact_json(&strict, "", Raw::new(RawJson::parse(&json).unwrap()));
    let out: Vec<String> = serde_json::from_str(out.get()).unwrap();
    assert_eq!(out, [expected], "{text} in JSON");
}

#[track_caller]
fn hidden(texts: &[&str]) {
    for text in texts {
        assert_kept(text, false);
        assert_kept(&format!("h\u{e9} {text}"), false);
    }
}

#[track_caller]
fn kept(texts: &[&str]) {
    for text in texts {
        assert_kept(text, true);
        assert_kept(&format!("h\u{e9} {text}"), true);
    }
}

#[test]
fn members_of_printed_dictionaries_are_judged_by_their_keys() {
    hidden(&[
        "{'Authorization': 'Basic dXNlcjpwYXNz'}",
        "{'authorization': 'Token 9944b09199c62bcf'}",
        "{'SECRET_KEY': 'django-insecure-abc'}",
        "{'Cookie': 'sessionid=38afes7a8'}",
        "{'Set-Cookie': 'id=a3fWa'}",
        "{'password1': 'hunter2'}",
        "{'passwords': ['hunter2', 'x']}",
        "{'password_hash': 'pbkdf2_sha256$1'}",
        "{'private_key_pem': 'MIIE'}",
        "{'auth': ('bob', 'hunter2')}",
        "{'cvv': '123'}",
        "{'cvv': 123}",
        "{'smtp_pass': 'hunter2'}",
        "{'sessionid': 'abc'}",
        "{'a': 1, 'db': {'DB_PASS' : b'hunter2'}}",
        "{'password': ' hunter2'}",
        r#"{"auth": "x"}"#,
        r#"{\"client_secret\": \"x\"}"#,
        r#"{\\\"api-key\\\": \\\"x\\\"}"#,
        "(('x', 1), {'csrftoken': 'x'})",
        "('Authorization', 'Basic dXNlcjpwYXNz')",
        "(b'cookie', b'a=b')",
    ]);
    kept(&[
        "{'token_count': 5}",
        "{'max_tokens': 4096, 'tokens': 12}",
        "{'author': 'x', 'count': 3}",
        "{'auth_method': 'ldap', 'auth': ''}",
        "{'pass': 3, 'fail': 0}",
        "{'password': ''}",
        "{'primary_key': 'x', 'monkey': 'y'}",
        "KeyError: 'password'",
        "field 'password':",
        "(b'content-type', b'a=b')",
        "the cookie, a=b",
    ]);
}

#[test]
fn keys_of_a_person_are_found_in_printed_dictionaries_too() {
    let config = RedactConfig {
        extra_key_patterns: vec!["customer_.*".to_owned()],
        ..RedactConfig::default()
    };
    let redactor = DefaultRedactor::strict_with_config(&config).unwrap();
    let text = |text| redact_text(&redactor, Raw::new(text)).into_inner();
    assert_eq!(text("{'customer_ref': 'x'}"), MARKER);
    assert_eq!(text("{'my_customer_ref': 'x'}"), "{'my_customer_ref': 'x'}");
}

#[test]
fn passwords_of_connection_strings_are_found_beside_what_they_open() {
    hidden(&[
        "host=db user=app password=hunter2 dbname=x",
        "connection to 'user=app password=hunter2' failed",
        "password=hunter2 port=5432 host=db",
        "Server=db; User Id=sa; Password=hunter2",
        "Server=db;User Id=sa;Password=hunter2;",
        "Pwd=hunter2;Server=db",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v;EndpointSuffix=x",
        "Endpoint=sb://x/;SharedAccessKey=Zm9v",
    ]);
    kept(&[
        "    check(user, password=password)",
        "    connect(host=host, user=user, password=password)",
        "    connect(\n        host=host,\n        password=password,\n    )",
        "    host = settings.host\n    login(password=password)",
        "Server=db; User Id=sa; Timeout=3",
        "host=db user=app dbname=x",
        "AccountName=a;AccountKey=",
    ]);
}

#[test]
fn variables_of_an_environment_are_found_without_export() {
    hidden(&[
        "DB_PASSWORD=hunter2",
        "env PGPASSWORD=hunter2 psql",
        "STRIPE_SECRET=x API=y",
        "GITHUB_TOKEN='x'",
        "MAPS_API_KEY=x",
        "AWS_SECRET_ACCESS_KEY=x",
        "SMTP_PASS=x",
    ]);
    kept(&[
        "DB_PASSWORD=",
        "DB_PASSWORD= next",
        "db_password=db_password",
        "DB_PASSWORD = settings",
        "TOKEN_COUNT=5",
        "if kind is TOKEN==OTHER",
        "PASS=3 FAIL=0",
        "BYPASS=1",
    ]);
}

#[test]
fn printed_secret_objects_and_command_lines_are_found() {
    hidden(&[
        "Settings(password=SecretStr('x'))",
        "Settings(api_key=SecretBytes(b'x'))",
        "login(password=b'hunter2')",
        "mysql -uroot -phunter2",
        "mysqldump -h db -u root -phunter2 shop",
        "mariadb --host=db -phunter2",
    ]);
    kept(&[
        "Settings(password=SecretStr('**********'))",
        "    password=SecretStr(value)",
        "    password = input('Say it: ')",
        "mysql -uroot -p shop",
        "mysql -uroot -P3306",
        "mysql failed: see -phelp",
        "mkdir -p/tmp",
    ]);
}

#[test]
fn passwords_with_slashes_in_urls_are_found() {
    hidden(&[
        "redis://:pa/ss@host",
        "redis://:1pa/ss@host/0",
        "broker amqp2://bob:p/w/x@host is away",
    ]);
    kept(&[
        "http://registry:4873/@scope/pkg",
        "http://host:8080/a/b@v2",
        "https://wiki/page:one@two",
        "file:///a:b/c@d",
        "http://host:8080/ mail me@home",
    ]);
}

#[test]
fn keys_of_more_services_are_found() {
    let (twenty, all) = ("aB3-_".repeat(4), "a1B2c3".repeat(6));
    hidden(&[
        &format!("sk-proj-{twenty}"),
        &format!("key sk-ant-{twenty}xyz."),
        &format!("glpat-{twenty}"),
        &format!("ghu_{all}"),
        &format!("ghr_{all}"),
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    ]);
    kept(&[
        &format!("task-proj-{twenty}"),
        &format!("SK-PROJ-{twenty}"),
        "sk-proj-short",
        "sk-project-import-of-all-customers-2024",
        "glpat-short",
        &format!("ghx_{all}"),
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
    ]);
}

#[test]
fn card_numbers_are_found_and_other_numbers_stay() {
    hidden(&[
        "4111111111111111",
        "4111 1111 1111 1111",
        "card 4111-1111-1111-1111 declined",
        "3782 822463 10005",
    ]);
    kept(&[
        "4111111111111112",
        "1732368000000000",
        "0.4111111111111111",
        "ids 4111 1111 1111 1112",
        "550e8400-e29b-41d4-a716-446655440000",
    ]);
}

#[test]
fn a_password_that_a_cut_parted_from_its_host_is_found() {
    hidden(&[
        "'redis://:hunter2hu...'",
        "amqp://bob:hunt[...812 more bytes truncated]",
        "connect to postgres://app:1hunter2...",
        "pyamqp://bob:h...",
    ]);
    kept(&[
        "http://localhost:8080...",
        "http://localhost:80[...812 more bytes truncated]",
        "https://[2001:db8::1]:80...",
        "http://host:8080/a/b...",
        "https://site/page:one...",
        "amqp://bob:...",
        "amqp://bob...",
        "see http://host: it fails...",
        "file://c:\\logs...",
    ]);
}
