//! Secrets and innocent data, made up.

/// Keys whose values are secrets, in the spellings of several languages.
pub(super) const SECRET_KEYS: [&str; 12] = [
    "password",
    "Password",
    "DB_PASSWORD",
    "database-password",
    "api_key",
    "apiKey",
    "secret",
    "client_secret",
    "access_token",
    "refreshToken",
    "authorization",
    "private_key",
];

/// What no output may hold.
pub(super) const CANARY: &str = "k3Zq-canary-9fWb";

/// Texts with the shape of a secret, and the part of each that must be gone.
pub(super) const SHAPES: [(&str, &str); 6] = [
    (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "dozjgNryP4J3jVmNHl0w5N",
    ),
    (
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789",
        "abcdefghijklmnopqrstuvwxyz0123456789",
    ),
    ("postgres://app:Xk29mmQp7v@db.internal/app", "Xk29mmQp7v"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj",
    ),
    ("card 4111 1111 1111 1111 ok", "4111 1111 1111 1111"),
];

/// Data as applications send it, with nothing to hide.
pub(super) const INNOCENT: [&str; 8] = [
    "{}",
    "[]",
    "null",
    "12345678901234567890",
    r#"{"args":[1,2.50,-0.0,1e300,"two"],"kwargs":{"retries":3,"queue":"default","dry":false,"none":null}}"#,
    r#"{"result":{"rows":1200,"seconds":0.125},"tags":["nightly","eu-west"],"path":"/reports/2026/11"}"#,
    r#"{"text":"Größe: 3 × 4, naïve café, 東京, 👍"}"#,
    r#"{"token_count":512,"max_tokens":4096}"#,
];
