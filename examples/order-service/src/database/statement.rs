use sqlx::query::Query;
use sqlx::{Encode, Type};

/// SQL that both engines understand, with the values of its `$1`, `$2` and so on.
#[derive(Clone, Debug)]
pub(crate) struct Statement<'a> {
    sql: &'static str,
    values: Vec<Value<'a>>,
}

/// What a statement is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
}

impl<'a> Statement<'a> {
    /// A statement whose values are still to be bound.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// Gives the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// As the engine's driver takes it.
    pub(super) fn to_query<DB>(&self) -> Query<'_, DB, DB::Arguments>
    where
        DB: sqlx::Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        &'a str: Encode<'a, DB> + Type<DB>,
    {
        self.values.iter().fold(sqlx::query(self.sql), |query, value| match *value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
        })
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}
