use super::Member;
use super::fingerprint::Fingerprint;
use crate::database::{Database, Row, Statement};

/// More keys than this are not read: every one is held in memory.
const MOST: u32 = 100_000;

/// The keys in the database.
#[derive(Clone, Debug)]
pub(crate) struct KeyStore {
    database: Database,
}

/// One key, as it is stored.
pub(super) struct Stored {
    key_sha256: String,
    member: Member,
}

impl KeyStore {
    /// The keys in `database`.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Whether they can be asked for at all.
    pub(super) fn is_ready(&self) -> bool {
        self.database.is_ready()
    }

    /// Every key, and whom it stands for.
    pub(super) async fn all(&self) -> Result<Vec<Stored>, sqlx::Error> {
        let statement = Statement::new(
            "SELECT key_sha256, user_id, tenant_id FROM api_keys JOIN users ON users.id = api_keys.user_id
             ORDER BY key_sha256 LIMIT $1",
        );
        let keys = self.database.rows(statement.bind(i64::from(MOST) + 1), stored).await?;
        if keys.len() > MOST as usize {
            tracing::error!(most = MOST, "there are more keys than can be known; some are refused");
        }
        Ok(keys)
    }
}

fn stored(row: &Row<'_>) -> Result<Stored, sqlx::Error> {
    let member = Member { user: row.text("user_id")?.into(), tenant: row.text("tenant_id")?.into() };
    Ok(Stored { key_sha256: row.text("key_sha256")?, member })
}

impl Stored {
    /// What is looked for, and found. Nothing for a key that can never be given, because something else stands in its place.
    pub(super) fn usable(self) -> Option<(Fingerprint, Member)> {
        let Self { key_sha256, member } = self;
        let Ok(fingerprint) = key_sha256.parse() else {
            tracing::warn!(user = &*member.user, "a stored key is no SHA-256 in hexadecimal; it is passed over");
            return None;
        };
        Some((fingerprint, member))
    }
}
