//! Suggestions at hand, so that the database is not asked for each.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::Deadline;
use seawall_core::time::{Clock, Timestamp};
use tokio::sync;

use super::SuggestionStore;
use super::feedback::Feedback;
use super::model::Model;
use crate::breakers::{Guarded, NoData};
use crate::bulkheads::Purpose;

/// For how long what was ordered is as good as new.
const FRESH: Duration = Duration::from_secs(5);

/// Suggestions from the latest orders, which are read at most once in [`FRESH`], by one caller at a time.
#[derive(Debug)]
pub(crate) struct Suggestions {
    store: Guarded<SuggestionStore>,
    clock: Clock,
    current: Mutex<Option<(Timestamp, Arc<Model>)>>,
    /// Held by whoever reads.
    reading: sync::Mutex<()>,
}

impl Suggestions {
    /// Suggestions from what is in `store`.
    pub(crate) fn new(store: Guarded<SuggestionStore>, clock: Clock) -> Self {
        Self { store, clock, current: Mutex::default(), reading: sync::Mutex::default() }
    }

    /// What to suggest from, for somebody who waits until `deadline`. While another caller reads, or nothing can be read, it is
    /// what was read last.
    pub(super) async fn model(&self, deadline: Option<Deadline>) -> Result<Arc<Model>, NoData> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let last = self.last();
        let _reading = match (self.reading.try_lock(), &last) {
            (Ok(reading), _) => reading,
            (Err(_busy), Some(last)) => return Ok(last.clone()),
            (Err(_busy), None) => self.reading.lock().await,
        };
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        match self.store.read(Purpose::Extra.claim(deadline), SuggestionStore::model).await {
            Ok(model) => {
                let model = Arc::new(model);
                *self.current.lock() = Some((self.clock.now(), model.clone()));
                Ok(model)
            }
            Err(error) => {
                let last = last.ok_or(error)?;
                tracing::debug!(as_of = %last.as_of, "suggestions are as they were");
                Ok(last)
            }
        }
    }

    fn fresh(&self) -> Option<Arc<Model>> {
        let current = self.current.lock();
        let (at, model) = current.as_ref()?;
        (self.clock.now().saturating_duration_since(*at) < FRESH).then(|| model.clone())
    }

    fn last(&self) -> Option<Arc<Model>> {
        self.current.lock().as_ref().map(|(_, model)| model.clone())
    }

    /// Counts what somebody says; it counts once the orders are read the next time. `false` if there is no such product.
    pub(super) async fn learn(&self, feedback: &Feedback, deadline: Option<Deadline>) -> Result<bool, NoData> {
        self.store.write(Purpose::Extra.claim(deadline), |store| store.count(feedback)).await
    }
}
