//! Statements that are put together from parts, with their values apart.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;
use z4j_core::task::TaskState;

use crate::db::Db;
use crate::fault::Fault;
use crate::text;

/// What a statement is given beside its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Uuid(Uuid),
    Int(i64),
    Text(String),
    Texts(Vec<String>),
    Codes(Vec<i32>),
}

impl Value {
    pub(super) fn text(value: &str) -> Self {
        Self::Text(text::put(value).into_owned())
    }

    pub(super) fn texts<'t>(values: impl IntoIterator<Item = &'t str>) -> Self {
        let put = |value| text::put(value).into_owned();
        Self::Texts(values.into_iter().map(put).collect())
    }

    pub(super) fn states(states: &[TaskState]) -> Self {
        Self::texts(states.iter().map(|state| state.as_str()))
    }
}

/// A statement in the making. Its text holds nothing but words of this crate and numbers; all else is a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    /// The mark of a value, the same one for the same value.
    pub(super) fn mark(&mut self, value: Value) -> String {
        let known = self.values.iter().position(|other| *other == value);
        let index = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        format!("${}", index + 1)
    }

    pub(super) fn push(&mut self, part: &str) {
        self.text.push_str(part);
    }

    pub(super) async fn fetch(&self, db: &mut Db<'_>) -> Result<Vec<PgRow>, Fault> {
        let query = db.sql(AssertSqlSafe(self.text.as_str()));
        Ok(bind(query, &self.values).fetch_all(db.conn()).await?)
    }
}

fn bind<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    values: &[Value],
) -> Query<'q, Postgres, PgArguments> {
    for value in values {
        query = match value {
            Value::Uuid(id) => query.bind(*id),
            Value::Int(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
            Value::Texts(texts) => query.bind(texts.clone()),
            Value::Codes(codes) => query.bind(codes.clone()),
        };
    }
    query
}
