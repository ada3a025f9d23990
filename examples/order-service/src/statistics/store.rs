//! The figures, as the database counts them.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::WallTime;
use crate::database::{Database, Row, Statement, undecodable};
use crate::orders::{Amount, Payment};

/// The day of each order is shown for so long.
const DAYS: u32 = 30;

const DAY: Duration = Duration::from_hours(24);

/// What was ordered, in the database.
#[derive(Clone, Debug)]
pub(crate) struct StatisticsStore {
    database: Database,
}

/// What was ordered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Statistics {
    /// Those whose payment is pending.
    pending: Tally,
    /// Those that are paid: their total is the revenue.
    paid: Tally,
    /// The last 30 days, by UTC, the latest first; days without orders are left out.
    days: Vec<Day>,
    /// When they were counted.
    as_of: WallTime,
}

/// So many orders, and what they come to.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct Tally {
    orders: u64,
    /// Exact up to 92233720368547758.07, and that much beyond.
    total: Amount,
}

/// One day's orders.
#[derive(Debug, Serialize, ToSchema)]
struct Day {
    #[schema(example = "2026-03-01")]
    day: String,
    #[serde(flatten)]
    tally: Tally,
}

impl StatisticsStore {
    /// The figures of `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Counts everything. Money is summed in two parts, neither of which can become too large for the engine.
    pub(super) async fn count(&self) -> Result<Statistics, sqlx::Error> {
        let as_of = WallTime::now();
        let statement = Statement::new(
            "SELECT payment, COUNT(*) AS orders, CAST(SUM(total / 100000000) AS BIGINT) AS large,
                    CAST(SUM(total % 100000000) AS BIGINT) AS small
             FROM orders GROUP BY payment",
        );
        let states = self.database.rows(statement, |row| Ok((state(row)?, tally(row)?))).await?;
        let of =
            |wanted| states.iter().find(|(state, _)| *state == wanted).map(|&(_, tally)| tally).unwrap_or_default();
        let days = self.days(as_of).await?;
        Ok(Statistics { pending: of(Payment::Pending), paid: of(Payment::Paid), days, as_of })
    }

    async fn days(&self, now: WallTime) -> Result<Vec<Day>, sqlx::Error> {
        let statement = Statement::new(
            "SELECT created_at / 86400000 AS day, COUNT(*) AS orders, CAST(SUM(total / 100000000) AS BIGINT) AS large,
                    CAST(SUM(total % 100000000) AS BIGINT) AS small
             FROM orders WHERE created_at / 86400000 > $1 GROUP BY created_at / 86400000 ORDER BY day DESC",
        );
        let today = now.as_millis() / millis(DAY);
        let since = today - i64::from(DAYS);
        self.database.rows(statement.bind(since), |row| Ok(Day { day: day(row)?, tally: tally(row)? })).await
    }
}

fn state(row: &Row<'_>) -> Result<Payment, sqlx::Error> {
    row.text("payment")?.parse().map_err(|error: String| undecodable("payment", error))
}

fn tally(row: &Row<'_>) -> Result<Tally, sqlx::Error> {
    let whole = |column| row.integer(column).map(i128::from);
    let total = whole("large")? * 100_000_000 + whole("small")?;
    let hundredths = i64::try_from(total).unwrap_or(i64::MAX);
    let total = Amount::from_hundredths(hundredths).ok_or_else(|| undecodable("total", "negative"))?;
    let orders = row.integer("orders")?;
    Ok(Tally { orders: u64::try_from(orders).map_err(|error| undecodable("orders", error))?, total })
}

fn day(row: &Row<'_>) -> Result<String, sqlx::Error> {
    let start = WallTime::from_millis(row.integer("day")?.saturating_mul(millis(DAY)));
    Ok(start.to_string().chars().take("2026-03-01".len()).collect())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
