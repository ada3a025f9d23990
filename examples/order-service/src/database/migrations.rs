//! The schema, step by step. Each engine has its own, in its own words; both come to the same tables and constraints.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

type Script = (i64, &'static str, &'static str);

const SQLITE: [Script; 4] = [
    (1, "orders", include_str!("../../migrations/sqlite/0001_orders.sql")),
    (2, "products", include_str!("../../migrations/sqlite/0002_products.sql")),
    (3, "callers", include_str!("../../migrations/sqlite/0003_callers.sql")),
    (4, "suggestion feedback", include_str!("../../migrations/sqlite/0004_suggestion_feedback.sql")),
];

const POSTGRES: [Script; 4] = [
    (1, "orders", include_str!("../../migrations/postgres/0001_orders.sql")),
    (2, "products", include_str!("../../migrations/postgres/0002_products.sql")),
    (3, "callers", include_str!("../../migrations/postgres/0003_callers.sql")),
    (4, "suggestion feedback", include_str!("../../migrations/postgres/0004_suggestion_feedback.sql")),
];

pub(super) fn sqlite() -> Migrator {
    migrator(&SQLITE)
}

pub(super) fn postgres() -> Migrator {
    migrator(&POSTGRES)
}

fn migrator(scripts: &[Script]) -> Migrator {
    let migrations = scripts.iter().map(|&(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}
