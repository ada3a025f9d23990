//! Orders in the database: one statement for each question.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::amount::Amount;
use super::model::{Item, Order, Payment};
use super::page::Cursor;
use crate::clock::WallTime;
use crate::database::{Database, Row, Statement, undecodable};

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
    pub(crate) items: Vec<Item>,
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
        let items = serde_json::to_string(&order.items).expect("items have string keys only");
        let statement = Statement::new(
            "INSERT INTO orders (id, customer_id, items, total, priority, payment, attempts, retry_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&*order.id)
        .bind(&*order.customer_id)
        .bind(&*items)
        .bind(order.total.hundredths())
        .bind(i64::from(order.priority))
        .bind(Payment::Pending.as_str())
        .bind(order.created_at.after(head_start).as_millis())
        .bind(order.created_at.as_millis());
        let inserted = self.database.change(statement).await;
        self.refusing.store(inserted.is_err(), Ordering::Relaxed);
        Ok(if inserted? == 1 { Insertion::Stored } else { Insertion::Duplicate })
    }

    /// Whether the last order could not be stored, such as on a full disk: reading works then, and tells nothing.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    /// Notes that the provider has the charge. `false` if that was known already.
    pub(crate) async fn mark_paid(&self, id: &str, charge_id: &str, at: WallTime) -> Result<bool, sqlx::Error> {
        let statement = Statement::new(
            "UPDATE orders SET payment = $1, charge_id = $2, paid_at = $3 WHERE id = $4 AND payment = $5",
        )
        .bind(Payment::Paid.as_str())
        .bind(charge_id)
        .bind(at.as_millis())
        .bind(id)
        .bind(Payment::Pending.as_str());
        Ok(self.database.change(statement).await? == 1)
    }

    /// Takes an order back that nothing was done for. `false` if it stands, because it is left to others by now.
    pub(crate) async fn withdraw(&self, id: &str, now: WallTime) -> Result<bool, sqlx::Error> {
        let statement = Statement::new("DELETE FROM orders WHERE id = $1 AND payment = $2 AND retry_at > $3")
            .bind(id)
            .bind(Payment::Pending.as_str())
            .bind(now.as_millis());
        Ok(self.database.change(statement).await? == 1)
    }

    /// Notes that a payment failed once more, and when it is tried again.
    pub(crate) async fn postpone(&self, id: &str, retry_at: WallTime) -> Result<(), sqlx::Error> {
        let statement =
            Statement::new("UPDATE orders SET attempts = attempts + 1, retry_at = $1 WHERE id = $2 AND payment = $3")
                .bind(retry_at.as_millis())
                .bind(id)
                .bind(Payment::Pending.as_str());
        self.database.change(statement).await.map(drop)
    }

    /// Makes the pending payment of every order that was placed before `moment` due.
    pub(crate) async fn make_due(&self, moment: WallTime) -> Result<u64, sqlx::Error> {
        let statement = Statement::new("UPDATE orders SET retry_at = 0 WHERE payment = $1 AND created_at < $2");
        self.database.change(statement.bind(Payment::Pending.as_str()).bind(moment.as_millis())).await
    }

    /// At most `limit` pending orders whose time has come, the longest overdue first.
    pub(crate) async fn due(&self, now: WallTime, limit: u32) -> Result<Vec<Due>, sqlx::Error> {
        let statement = Statement::new(
            "SELECT id, items, total, attempts FROM orders
             WHERE payment = $1 AND retry_at <= $2 ORDER BY retry_at LIMIT $3",
        )
        .bind(Payment::Pending.as_str())
        .bind(now.as_millis())
        .bind(i64::from(limit));
        let due = |row: &Row<'_>| {
            Ok(Due {
                id: row.text("id")?,
                items: items(row)?,
                total: amount(row, "total")?,
                attempts: u32::try_from(row.integer("attempts")?).unwrap_or(u32::MAX),
            })
        };
        self.database.rows(statement, due).await
    }

    /// How many orders have a pending payment.
    pub(crate) async fn count_pending(&self) -> Result<i64, sqlx::Error> {
        let statement = Statement::new("SELECT COUNT(*) AS orders FROM orders WHERE payment = $1");
        let counted = self.database.row(statement.bind(Payment::Pending.as_str()), |row| row.integer("orders")).await?;
        Ok(counted.unwrap_or_default())
    }

    /// The order of this id.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Order>, sqlx::Error> {
        let statement = Statement::new(
            "SELECT id, customer_id, items, total, priority, payment, created_at, paid_at FROM orders
             WHERE id = $1",
        );
        self.database.row(statement.bind(id), order).await
    }

    /// The orders right after the cursor, newest first; among those of one millisecond, by the bytes of their ids.
    pub(crate) async fn newest(&self, after: Option<&Cursor>, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        let (before_time, before_id) = match after {
            Some(cursor) => (cursor.created_at.as_millis(), cursor.id.as_str()),
            None => (i64::MAX, ""),
        };
        let statement = Statement::new(
            "SELECT id, customer_id, items, total, priority, payment, created_at, paid_at FROM orders
             WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(before_time)
        .bind(before_id)
        .bind(i64::from(limit));
        self.database.rows(statement, order).await
    }
}

fn order(row: &Row<'_>) -> Result<Order, sqlx::Error> {
    Ok(Order {
        id: row.text("id")?,
        customer_id: row.text("customer_id")?,
        items: items(row)?,
        total: amount(row, "total")?,
        priority: u8::try_from(row.integer("priority")?).map_err(|error| undecodable("priority", error))?,
        payment: row.text("payment")?.parse().map_err(|error: String| undecodable("payment", error))?,
        created_at: WallTime::from_millis(row.integer("created_at")?),
        paid_at: row.optional_integer("paid_at")?.map(WallTime::from_millis),
    })
}

/// The lines of an order.
pub(crate) fn items(row: &Row<'_>) -> Result<Vec<Item>, sqlx::Error> {
    serde_json::from_str(&row.text("items")?).map_err(|error| undecodable("items", error))
}

/// The money in `column`.
pub(crate) fn amount(row: &Row<'_>, column: &str) -> Result<Amount, sqlx::Error> {
    Amount::from_hundredths(row.integer(column)?).ok_or_else(|| undecodable(column, "negative"))
}

#[cfg(test)]
mod tests {
    use seawall_core::time::Clock;
    use tempfile::TempDir;

    use super::*;
    use crate::config;
    use crate::database::DataFolder;
    use crate::metrics::Metrics;

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
        let database = Database::embedded(&folder, &config::Database::default(), Clock::system(), Metrics::new().sql)
            .await
            .expect("a new database");
        let store = OrderStore::new(database.clone());
        // The smallest bound that SQLite takes is the size that the file has.
        database.change(Statement::new("PRAGMA max_page_count = 1")).await.expect("a bound");
        let large = order("large", 100_000);
        assert!(store.insert(&large, Duration::ZERO).await.is_err() && store.is_refusing());

        database.change(Statement::new("PRAGMA max_page_count = 10000")).await.expect("a bound");
        assert_eq!(store.insert(&large, Duration::ZERO).await.expect("room"), Insertion::Stored);
        assert!(!store.is_refusing());
        assert_eq!(store.insert(&large, Duration::ZERO).await.expect("room"), Insertion::Duplicate);
        assert!(!store.is_refusing(), "a duplicate is the caller's fault");
        database.close().await;
    }
}
