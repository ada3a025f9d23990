use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo, ValueRef};

use super::undecodable;

/// One row of an answer, read column by column.
pub(crate) enum Row<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

impl Row<'_> {
    /// The text in `column`.
    pub(crate) fn text(&self, column: &str) -> Result<String, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The whole number in `column`, however wide the column is.
    pub(crate) fn integer(&self, column: &str) -> Result<i64, sqlx::Error> {
        self.optional_integer(column)?.ok_or_else(|| undecodable(column, "it is null"))
    }

    /// The whole number in `column`, unless it is null.
    pub(crate) fn optional_integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            // PostgreSQL's driver takes each width for a type of its own.
            Self::Postgres(row) => match row.try_get_raw(column)?.type_info().name() {
                "INT2" => row.try_get::<Option<i16>, _>(column).map(|integer| integer.map(i64::from)),
                "INT4" => row.try_get::<Option<i32>, _>(column).map(|integer| integer.map(i64::from)),
                _ => row.try_get(column),
            },
        }
    }
}
