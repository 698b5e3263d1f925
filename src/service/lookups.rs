//! Look-ups that are remembered for seconds, so that many requests a second ask the database once.
//!
//! A value is fresh for a second. For three more it is answered while one task looks it up again; after that everybody
//! waits for one look-up. So whatever changes in the database is seen everywhere within [`BELIEVED_FOR`]. It knows
//! neither keys nor tokens.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::detached::spawn_on;
use super::error::ServiceError;
use crate::store::StoreError;
use crate::store::error::Cause;

/// How long a value is answered without another look-up.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long a value is answered at all, from the moment at which its look-up began.
pub const BELIEVED_FOR: Duration = Duration::from_secs(4);
/// How long a caller waits for a look-up.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// A look-up that takes longer is taken for lost, and another one may start.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Values and absences that are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// Look-ups of what is not known yet that may run at once: guesses must not keep the others from being refreshed.
const MAX_STRANGERS: usize = 64;

/// What is remembered, by key.
#[derive(Debug)]
pub struct Lookups<V> {
    slots: Arc<Mutex<HashMap<String, Slot<V>>>>,
    strangers: Arc<Semaphore>,
    n_started: AtomicU64,
    runtime: Handle,
}

#[derive(Debug)]
struct Slot<V> {
    known: Option<Known<V>>,
    flight: Option<Flight<V>>,
}

#[derive(Debug)]
struct Known<V> {
    value: Option<Arc<V>>,
    looked_up_at: Instant,
}

/// A look-up on its way.
#[derive(Debug)]
struct Flight<V> {
    number: u64,
    started_at: Instant,
    landing: Landing<V>,
}

/// Nothing yet, or what the look-up found; a failure is told to everybody who waits, without its cause.
type Landing<V> = watch::Receiver<Option<Result<Option<Arc<V>>, Unanswered>>>;

#[derive(Debug, Clone, Copy)]
struct Unanswered;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Fresh,
    Ageing,
    Gone,
}

impl<V> Known<V> {
    fn belief(&self, now: Instant) -> Belief {
        let age = now.saturating_duration_since(self.looked_up_at);
        // What is absent may be made at any moment, and whoever made it must not wait for it.
        match (age < FRESH_FOR, self.value.is_some() && age < BELIEVED_FOR) {
            (true, _) => Belief::Fresh,
            (false, true) => Belief::Ageing,
            (false, false) => Belief::Gone,
        }
    }
}

enum Step<V> {
    Answer(Option<Arc<V>>),
    Wait(Landing<V>),
}

impl<V: Send + Sync + 'static> Lookups<V> {
    /// Remembers nothing yet; look-ups run on `runtime`, whatever becomes of those who asked.
    pub fn new(runtime: Handle) -> Self {
        let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
        Self { slots: Arc::default(), strangers, n_started: AtomicU64::new(0), runtime }
    }

    /// Answers what is remembered under a key, or looks it up, once for all who ask at the same time.
    pub async fn get<F>(&self, key: &str, look_up: impl FnOnce() -> F) -> Result<Option<Arc<V>>, ServiceError>
    where
        F: Future<Output = Result<Option<V>, ServiceError>> + Send + 'static,
    {
        let mut landing = match self.step(key, Instant::now(), look_up)? {
            Step::Answer(value) => return Ok(value),
            Step::Wait(landing) => landing,
        };
        match tokio::time::timeout(ANSWER_WITHIN, landing.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => match &*landed {
                Some(Ok(value)) => Ok(value.clone()),
                _ => Err(unanswered()),
            },
            _ => Err(unanswered()),
        }
    }

    /// Answers what is remembered and still believed under a key; it never looks anything up.
    pub fn remembered(&self, key: &str) -> Option<Arc<V>> {
        let slots = self.lock();
        let known = slots.get(key)?.known.as_ref()?;
        known.value.clone().filter(|_| known.belief(Instant::now()) != Belief::Gone)
    }

    /// Forgets a key, so that this process sees at once what it has just changed: what a look-up on its way finds is for
    /// those who wait for it already, and for nobody else.
    pub fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn step<F>(&self, key: &str, now: Instant, look_up: impl FnOnce() -> F) -> Result<Step<V>, ServiceError>
    where
        F: Future<Output = Result<Option<V>, ServiceError>> + Send + 'static,
    {
        let mut slots = self.lock();
        let slot = slots.get(key);
        let known = slot.and_then(|slot| slot.known.as_ref());
        let flight = slot.and_then(|slot| slot.flight.as_ref());
        let flight = flight.filter(|flight| now.saturating_duration_since(flight.started_at) < LOST_AFTER);
        match (known.map(|known| (known.value.clone(), known.belief(now))), flight) {
            (Some((value, Belief::Fresh)), _) | (Some((value, Belief::Ageing)), Some(_)) => Ok(Step::Answer(value)),
            (Some((value, Belief::Ageing)), None) => {
                // Where no look-up can start, the value is good for a little longer.
                let _later = self.start(&mut slots, key, now, false, look_up);
                Ok(Step::Answer(value))
            }
            (_, Some(flight)) => Ok(Step::Wait(flight.landing.clone())),
            (known, None) => {
                let is_stranger = known.is_none_or(|(value, _)| value.is_none());
                self.start(&mut slots, key, now, is_stranger, look_up).map(Step::Wait)
            }
        }
    }

    fn start<F>(
        &self,
        slots: &mut HashMap<String, Slot<V>>,
        key: &str,
        now: Instant,
        is_stranger: bool,
        look_up: impl FnOnce() -> F,
    ) -> Result<Landing<V>, ServiceError>
    where
        F: Future<Output = Result<Option<V>, ServiceError>> + Send + 'static,
    {
        let permit = is_stranger.then(|| Arc::clone(&self.strangers).try_acquire_owned());
        let permit = permit.transpose().map_err(|_| ServiceError::Overloaded)?;
        make_room(slots, now);
        let (landed, landing) = watch::channel(None);
        let slot = slots.entry(key.to_owned()).or_insert(Slot { known: None, flight: None });
        let number = self.n_started.fetch_add(1, Ordering::Relaxed);
        slot.flight = Some(Flight { number, started_at: now, landing: landing.clone() });
        let (slots, key, found) = (Arc::clone(&self.slots), key.to_owned(), look_up());
        spawn_on(&self.runtime, async move {
            let outcome = found.await.map(|value| value.map(Arc::new)).map_err(|error| {
                tracing::warn!(error = %error, "a look-up failed");
                Unanswered
            });
            drop(permit);
            land(&slots, &key, number, outcome.as_ref().ok());
            // Nobody may be waiting any more; what was found is remembered all the same.
            let _gone = landed.send(Some(outcome));
        });
        Ok(landing)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slot<V>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers what a look-up found, unless it was taken for lost or its key was forgotten meanwhile.
fn land<V>(slots: &Mutex<HashMap<String, Slot<V>>>, key: &str, number: u64, found: Option<&Option<Arc<V>>>) {
    let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(slot) = slots.get_mut(key) else { return };
    let Some(flight) = slot.flight.take_if(|flight| flight.number == number) else { return };
    if let Some(value) = found {
        slot.known = Some(Known { value: value.clone(), looked_up_at: flight.started_at });
    }
    if slot.known.is_none() && slot.flight.is_none() {
        slots.remove(key);
    }
}

/// Forgets absences and what is believed no longer; where that is not enough, everything that nobody waits for.
fn make_room<V>(slots: &mut HashMap<String, Slot<V>>, now: Instant) {
    if slots.len() < MAX_REMEMBERED {
        return;
    }
    let is_worth = |known: &Known<V>| known.value.is_some() && known.belief(now) != Belief::Gone;
    slots.retain(|_, slot| slot.flight.is_some() || slot.known.as_ref().is_some_and(is_worth));
    if slots.len() >= MAX_REMEMBERED {
        slots.retain(|_, slot| slot.flight.is_some());
    }
}

fn unanswered() -> ServiceError {
    ServiceError::Store(StoreError::Unavailable(Cause::Connection("a credential could not be looked up")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    type Found = Result<Option<u32>, ServiceError>;

    fn lookups() -> Lookups<u32> {
        Lookups::new(Handle::current())
    }

    /// No answer was at hand.
    #[derive(Debug, PartialEq, Eq)]
    struct Waits;

    /// Asks as if it were that moment.
    fn ask(lookups: &Lookups<u32>, at: Instant, found: Found) -> Result<Option<u32>, Waits> {
        match lookups.step("key", at, || std::future::ready(found)).unwrap() {
            Step::Answer(value) => Ok(value.map(|value| *value)),
            Step::Wait(_) => Err(Waits),
        }
    }

    async fn landed(lookups: &Lookups<u32>) {
        while lookups.lock().get("key").is_some_and(|slot| slot.flight.is_some()) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_value_is_fresh_then_ageing_then_gone() {
        let (lookups, start) = (lookups(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);

        assert_eq!(ask(&lookups, at(0), Ok(Some(1))), Err(Waits));
        landed(&lookups).await;
        assert_eq!(ask(&lookups, at(999), Ok(Some(2))), Ok(Some(1)));
        assert!(lookups.lock()["key"].flight.is_none(), "a fresh value is not looked up");
        assert_eq!(ask(&lookups, at(3_000), Err(ServiceError::NotFound)), Ok(Some(1)));
        landed(&lookups).await;
        assert_eq!(ask(&lookups, at(3_999), Ok(Some(3))), Ok(Some(1)), "a failed look-up changes nothing");
        landed(&lookups).await;
        assert_eq!(ask(&lookups, at(4_100), Ok(Some(4))), Ok(Some(3)));
        assert_eq!(ask(&lookups, at(9_000), Ok(None)), Err(Waits));
        landed(&lookups).await;
        assert_eq!(ask(&lookups, at(9_999), Ok(None)), Ok(None));
        assert_eq!(ask(&lookups, at(10_000), Ok(None)), Err(Waits), "an absence is believed for a second");
    }

    #[tokio::test]
    async fn what_was_on_its_way_when_a_key_was_forgotten_is_not_believed() {
        let (lookups, now) = (lookups(), Instant::now());
        let (read_before, old) = tokio::sync::oneshot::channel::<u32>();
        let Step::Wait(mut waiting) = lookups.step("key", now, || async { Ok(old.await.ok()) }).unwrap() else {
            panic!("nothing is known yet")
        };

        lookups.forget("key");
        assert_eq!(ask(&lookups, now, Ok(None)), Err(Waits), "nobody joins the look-up that began before");
        landed(&lookups).await;
        read_before.send(1).unwrap();
        waiting.wait_for(Option::is_some).await.unwrap();

        assert_eq!(ask(&lookups, now, Ok(None)), Ok(None));
    }

    #[tokio::test]
    async fn what_is_remembered_is_told_without_a_look_up_for_as_long_as_it_is_believed() {
        let (lookups, now) = (lookups(), Instant::now());
        assert_eq!(lookups.remembered("key"), None);
        assert_eq!(ask(&lookups, now, Ok(Some(1))), Err(Waits));
        landed(&lookups).await;

        assert_eq!(lookups.remembered("key").as_deref(), Some(&1));
        let past = now.checked_sub(BELIEVED_FOR).unwrap();
        lookups.lock().get_mut("key").unwrap().known.as_mut().unwrap().looked_up_at = past;
        assert_eq!(lookups.remembered("key"), None);
        assert_eq!(lookups.n_started.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_look_up_and_its_failure() {
        let (lookups, n_runs) = (lookups(), Arc::new(AtomicU32::new(0)));
        let ask = |found: Found| {
            let n_runs = Arc::clone(&n_runs);
            lookups.get("key", move || async move {
                n_runs.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                found
            })
        };

        let failures = futures_util::future::join_all((0..100).map(|_| ask(Err(ServiceError::NotFound)))).await;
        let answers = futures_util::future::join_all((0..100).map(|n| ask(Ok(Some(n))))).await;

        assert!(failures.iter().all(|failure| matches!(failure, Err(ServiceError::Store(_)))));
        let first = **answers[0].as_ref().unwrap().as_ref().unwrap();
        assert!(answers.iter().all(|answer| **answer.as_ref().unwrap().as_ref().unwrap() == first));
        assert_eq!(n_runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn guesses_are_bounded_and_take_no_room_from_what_is_known() {
        let (lookups, now) = (lookups(), Instant::now());
        assert_eq!(ask(&lookups, now, Ok(Some(1))), Err(Waits));
        landed(&lookups).await;
        let pending = || std::future::pending::<Found>();

        for n in 0..MAX_STRANGERS {
            assert!(lookups.step(&format!("guess {n}"), now, pending).is_ok());
        }
        assert!(matches!(lookups.step("one more", now, pending), Err(ServiceError::Overloaded)));

        let later = now + Duration::from_secs(2);
        assert_eq!(ask(&lookups, later, Ok(Some(2))), Ok(Some(1)));
        landed(&lookups).await;
        let mut slots = lookups.lock();
        for n in 0..MAX_REMEMBERED {
            let known = Some(Known { value: None, looked_up_at: later });
            slots.insert(format!("absent {n}"), Slot { known, flight: None });
        }
        make_room(&mut slots, later);
        assert_eq!((slots.len(), slots.contains_key("key")), (MAX_STRANGERS + 1, true));
    }
}
