//! Orders in the database. One statement for each question, in SQL that PostgreSQL understands too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::amount::Amount;
use super::model::{Order, Payment};
use super::page::Cursor;
use crate::clock::WallTime;
use crate::database::Database;

/// The orders that were accepted.
#[derive(Clone, Debug)]
pub(crate) struct OrderStore {
    database: Database,
    refusing: Arc<AtomicBool>,
}

/// What became of an order that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insertion {
    /// It is on the disk.
    Stored,
    /// Another one has its id.
    Duplicate,
}

/// A pending order whose payment is to be tried again.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) id: String,
    pub(crate) total: Amount,
    pub(crate) attempts: u32,
}

impl OrderStore {
    /// The orders in `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { database, refusing: Arc::default() }
    }

    /// Stores `order` durably. Whoever is to try its payment again does so after `head_start` at the earliest.
    pub(crate) async fn insert(&self, order: &Order, head_start: Duration) -> Result<Insertion, sqlx::Error> {
        let items = serde_json::to_string(&order.items).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let inserted = sqlx::query(
            "INSERT INTO orders (id, customer_id, items, total, priority, payment, attempts, retry_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
        )
        .bind(&order.id)
        .bind(&order.customer_id)
        .bind(items)
        .bind(order.total.hundredths())
        .bind(i64::from(order.priority))
        .bind(Payment::Pending.as_str())
        .bind(order.created_at.after(head_start).as_millis())
        .bind(order.created_at.as_millis())
        .execute(&self.database.writer)
        .await;
        let insertion = match inserted {
            Ok(_) => Ok(Insertion::Stored),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Insertion::Duplicate),
            Err(error) => Err(error),
        };
        self.refusing.store(insertion.is_err(), Ordering::Relaxed);
        insertion
    }

    /// Whether the last order could not be stored, such as on a full disk: reading works then, and tells nothing.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    /// Notes that the provider has the charge. `false` if that was known already.
    pub(crate) async fn mark_paid(&self, id: &str, charge_id: &str, at: WallTime) -> Result<bool, sqlx::Error> {
        let updated =
            sqlx::query("UPDATE orders SET payment = $1, charge_id = $2, paid_at = $3 WHERE id = $4 AND payment = $5")
                .bind(Payment::Paid.as_str())
                .bind(charge_id)
                .bind(at.as_millis())
                .bind(id)
                .bind(Payment::Pending.as_str())
                .execute(&self.database.writer)
                .await?;
        Ok(updated.rows_affected() == 1)
    }

    /// Notes that a payment failed once more, and when it is tried again.
    pub(crate) async fn postpone(&self, id: &str, retry_at: WallTime) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE orders SET attempts = attempts + 1, retry_at = $1 WHERE id = $2 AND payment = $3")
            .bind(retry_at.as_millis())
            .bind(id)
            .bind(Payment::Pending.as_str())
            .execute(&self.database.writer)
            .await
            .map(drop)
    }

    /// Makes every pending payment due: after a start, what was planned before means nothing.
    pub(crate) async fn make_all_due(&self) -> Result<u64, sqlx::Error> {
        let updated = sqlx::query("UPDATE orders SET retry_at = 0 WHERE payment = $1")
            .bind(Payment::Pending.as_str())
            .execute(&self.database.writer)
            .await?;
        Ok(updated.rows_affected())
    }

    /// At most `limit` pending orders whose time has come, the longest overdue first.
    pub(crate) async fn due(&self, now: WallTime, limit: u32) -> Result<Vec<Due>, sqlx::Error> {
        sqlx::query(
            "SELECT id, total, attempts FROM orders
             WHERE payment = $1 AND retry_at <= $2 ORDER BY retry_at LIMIT $3",
        )
        .bind(Payment::Pending.as_str())
        .bind(now.as_millis())
        .bind(i64::from(limit))
        .try_map(|row: SqliteRow| {
            let attempts: i64 = row.try_get("attempts")?;
            Ok(Due {
                id: row.try_get("id")?,
                total: amount(&row, "total")?,
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            })
        })
        .fetch_all(&self.database.readers)
        .await
    }

    /// How many orders have a pending payment.
    pub(crate) async fn count_pending(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT COUNT(*) FROM orders WHERE payment = $1")
            .bind(Payment::Pending.as_str())
            .fetch_one(&self.database.readers)
            .await
    }

    /// The order of this id.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Order>, sqlx::Error> {
        sqlx::query(
            "SELECT id, customer_id, items, total, priority, payment, created_at, paid_at FROM orders
             WHERE id = $1",
        )
        .bind(id)
        .try_map(|row| order(&row))
        .fetch_optional(&self.database.readers)
        .await
    }

    /// The orders right after the cursor, newest first.
    pub(crate) async fn newest(&self, after: Option<&Cursor>, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        let (before_time, before_id) = match after {
            Some(cursor) => (cursor.created_at.as_millis(), cursor.id.as_str()),
            None => (i64::MAX, ""),
        };
        sqlx::query(
            "SELECT id, customer_id, items, total, priority, payment, created_at, paid_at FROM orders
             WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(before_time)
        .bind(before_id)
        .bind(i64::from(limit))
        .try_map(|row| order(&row))
        .fetch_all(&self.database.readers)
        .await
    }
}

fn order(row: &SqliteRow) -> Result<Order, sqlx::Error> {
    let items: String = row.try_get("items")?;
    let priority: i64 = row.try_get("priority")?;
    let payment: String = row.try_get("payment")?;
    Ok(Order {
        id: row.try_get("id")?,
        customer_id: row.try_get("customer_id")?,
        items: serde_json::from_str(&items).map_err(|error| undecodable("items", error))?,
        total: amount(row, "total")?,
        priority: u8::try_from(priority).map_err(|error| undecodable("priority", error))?,
        payment: payment.parse().map_err(|error| undecodable("payment", error))?,
        created_at: WallTime::from_millis(row.try_get("created_at")?),
        paid_at: row.try_get::<Option<i64>, _>("paid_at")?.map(WallTime::from_millis),
    })
}

/// The money in `column`.
pub(crate) fn amount(row: &SqliteRow, column: &str) -> Result<Amount, sqlx::Error> {
    Amount::from_hundredths(row.try_get(column)?).ok_or_else(|| undecodable(column, "negative"))
}

fn undecodable(column: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::database::DataFolder;
    use crate::orders::model::Item;

    fn order(id: &str, name_length: usize) -> Order {
        let item = Item {
            product_id: "coffee-1".to_owned(),
            name: "e".repeat(name_length),
            quantity: 1,
            price: Amount::default(),
        };
        Order {
            id: id.to_owned(),
            customer_id: "customer".to_owned(),
            items: vec![item],
            total: Amount::default(),
            priority: 3,
            payment: Payment::Pending,
            created_at: WallTime::now(),
            paid_at: None,
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_noticed_until_there_is_room_again() {
        let folder = TempDir::new().expect("a temporary folder");
        let folder = DataFolder::take(folder.path()).expect("a free folder");
        let database = Database::open(&folder).await.expect("a new database");
        let store = OrderStore::new(database.clone());
        // The smallest bound that SQLite takes is the size that the file has.
        sqlx::query("PRAGMA max_page_count = 1").execute(&database.writer).await.expect("a bound");
        let large = order("large", 100_000);
        assert!(store.insert(&large, Duration::ZERO).await.is_err() && store.is_refusing());

        sqlx::query("PRAGMA max_page_count = 10000").execute(&database.writer).await.expect("a bound");
        assert_eq!(store.insert(&large, Duration::ZERO).await.expect("room"), Insertion::Stored);
        assert!(!store.is_refusing());
        assert_eq!(store.insert(&large, Duration::ZERO).await.expect("room"), Insertion::Duplicate);
        assert!(!store.is_refusing(), "a duplicate is the caller's fault");
        database.close().await;
    }
}
