//! `GET /slots` of llama.cpp: how much of the context that all slots have together is taken.

use serde::Deserialize;

use super::reading::Missing;

/// One slot, as far as it is read.
#[derive(Debug, Deserialize)]
struct Slot {
    n_ctx: u64,
    is_processing: bool,
    #[serde(default)]
    n_prompt_tokens: u64,
    #[serde(default)]
    next_token: Option<NextToken>,
}

/// What the slot is at: a list with one member; older builds send the member.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NextToken {
    Listed(Vec<Decoding>),
    Alone(Decoding),
}

#[derive(Debug, Deserialize)]
struct Decoding {
    #[serde(default)]
    n_decoded: u64,
}

impl Slot {
    fn n_tokens(&self) -> u64 {
        let n_decoded = match &self.next_token {
            Some(NextToken::Listed(listed)) => listed.first().map_or(0, |decoding| decoding.n_decoded),
            Some(NextToken::Alone(decoding)) => decoding.n_decoded,
            None => 0,
        };
        if self.is_processing { self.n_prompt_tokens.saturating_add(n_decoded) } else { 0 }
    }
}

/// Returns the share of the capacity of all slots, idle ones included, that requests under way take: over the busy ones
/// only it would not fall when slots empty.
pub fn kv_cache_usage(body: &[u8]) -> Result<f64, Missing> {
    let slots: Vec<Slot> = serde_json::from_slice(body).map_err(|_| Missing::Unreadable)?;
    let capacity: f64 = slots.iter().map(|slot| slot.n_ctx as f64).sum();
    if capacity == 0.0 {
        return Err(Missing::Absent);
    }
    let share = slots.iter().map(|slot| slot.n_tokens() as f64).sum::<f64>() / capacity;
    if share > 1.0 { Err(Missing::AboveOne) } else { Ok(share) }
}
