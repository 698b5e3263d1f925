//! Completions and feedback in, examples and counted exclusions out.
//!
//! This module knows no I/O, no clock and no chance: a prompt's answers with their feedback become candidates, each
//! candidate becomes an example or an exclusion with a reason (DS-5), and a plan over small keys removes repeats and
//! gives every example its split (DS-1).

mod bonds;
pub mod bradley_terry;
pub mod caps;
mod components;
pub mod dawid_skene;
pub mod decontaminate;
mod distance;
mod edit;
mod effective;
mod endorsed;
mod evidence;
pub mod example;
pub mod exclusion;
pub mod feedback_text;
pub mod folded;
pub mod harvest;
mod judged;
pub mod label;
pub mod label_balance;
pub mod label_noise;
mod labelled;
pub mod lengths;
pub mod lottery;
pub mod minhash;
mod near;
mod pair;
mod pairing;
mod panel;
mod picks;
pub mod plan;
mod poll;
pub mod position;
mod prompt;
pub mod propensity;
mod ranking;
pub mod redact;
pub mod refusal;
mod regenerate;
pub mod screen;
mod text;
mod ties;
mod timeline;
mod tools;
mod traits;
pub mod weights;
mod words;

pub use effective::{Standing, standings};
pub use harvest::{Crop, Funnel, Harvest, Noise, ask, harvest, harvest_by};
pub use panel::{Opinion, Panel, Survey};
pub use plan::{Placement, Plan, PlanKey, Planner};
pub use text::prompt_signature;
