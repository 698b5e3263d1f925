//! Which examples stay, and in which split: decided over small keys, without the texts.
//!
//! Rows that share a prompt, a conversation or a user must lie in one split (DS-1), and a row must never change its
//! split when feedback is added (A4). So keys are given to splits in the order in which rows came to be tied to them:
//! a tie whose keys are all new founds a component, whose split is drawn from the salt and its first key; a tie that
//! touches components of one split joins them; a tie that touches components of two splits joins nothing. What has
//! been given stays given, because later feedback only ever adds later ties. A row is placed where all of its keys
//! are, and left out as [`BRIDGES_SPLITS`] where they are not together.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::components::Components;
use super::example::{Body, Example, Exclusions, RowKind, Split, Tie};
use super::exclusion::{BRIDGES_SPLITS, DOWNSAMPLED, DUPLICATE};
use super::label_balance::balanced;
use super::lengths::PairLengths;
use super::picks::{self, Pickable, Presentation, Rules};
use super::text::{fold, prompt_text};
use super::traits::Traits;
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;
use crate::domain::recipe::{Dedup, KtoBalance, Options};

/// The small part of an example that a plan over a whole export needs: hashes, a time and a few numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanKey {
    pub(super) kind: RowKind,
    pub(super) label: Option<bool>,
    pub(super) row_id: ContentHash,
    pub(super) texts: ContentHash,
    pub(super) created_at: Timestamp,
    pub(super) n_votes: u32,
    pub(super) ties: Vec<Tie>,
    pub(super) traits: Traits,
}

impl PlanKey {
    /// Takes the key of an example.
    pub fn of(example: &Example) -> Self {
        Self {
            kind: example.body.kind(),
            label: example.body.label(),
            row_id: example.row_id,
            texts: texts(&example.body),
            created_at: example.created_at,
            n_votes: example.n_votes,
            ties: example.ties.clone(),
            traits: Traits::of(example),
        }
    }

    /// Says of which cells of [`Cells`](super::propensity::Cells) the answers are: the better or only one, the worse one.
    #[must_use]
    pub fn in_cells(mut self, cells: [u32; 2]) -> Self {
        self.traits.cells = cells;
        self
    }

    /// Makes the key of a row that was an example once; of which kind it was does not matter any more.
    pub(super) fn former(ties: Vec<Tie>, created_at: Timestamp) -> Self {
        let nothing = ContentHash([0; 16]);
        Self {
            kind: RowKind::Pair,
            label: None,
            row_id: nothing,
            texts: nothing,
            created_at,
            n_votes: 0,
            ties,
            traits: Traits::default(),
        }
    }
}

/// Hashes the texts so that two bodies of one kind that differ in Unicode form, white space or label only are equal.
fn texts(body: &Body) -> ContentHash {
    let mut text = fold(&prompt_text(body.prompt()));
    for answer in [body.answer(), body.worse_answer()].into_iter().flatten() {
        // No text holds U+0000, so that it keeps the parts apart.
        text.push('\0');
        text.push_str(&fold(answer));
    }
    text.push('\0');
    text.push_str(body.kind().word());
    ContentHash::of_bytes("texts", text.as_bytes())
}

/// Where a row goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Place of its key in the order of [`Planner::add`], from 0.
    pub index: usize,
    /// The kind of row.
    pub kind: RowKind,
    /// The part of the data set.
    pub split: Split,
    /// The group that was put there as one: the key that founded it.
    pub group: ContentHash,
    /// What the row weighs.
    pub weight: f64,
}

/// What becomes of every row that was added: placements and exclusions add up to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The rows that stay, by `(created_at, row_id)`.
    pub placements: Vec<Placement>,
    /// The rows that do not, by kind and reason.
    pub exclusions: BTreeMap<RowKind, Exclusions>,
    /// Who made the rows that stay, by kind.
    pub users: BTreeMap<RowKind, UserRows>,
    /// How many of the rows that stay are labelled good, and how many bad.
    pub n_labels: (u64, u64),
    /// Groups among the rows that stay.
    pub n_groups: u64,
    /// Rows of the largest of them.
    pub n_rows_largest_group: u64,
}

/// How many rows the users made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UserRows {
    /// Users whose votes made a row or more.
    pub n_users: u64,
    /// Rows that the busiest of them has a part in.
    pub n_rows_of_busiest: u64,
    /// Rows of which nobody knows who made them.
    pub n_rows_without_user: u64,
}

/// A row that left, as far as it still ties keys together.
const FORMER: u32 = u32::MAX;

struct Row {
    kind: RowKind,
    label: Option<bool>,
    id: ContentHash,
    texts: ContentHash,
    created_at_us: i64,
    n_votes: u32,
    /// Place in the order of `add`, or [`FORMER`].
    index: u32,
    first_tie: u32,
    first_voter: u32,
    weight: f64,
    lengths: Option<PairLengths>,
    presentation: Presentation,
    cells: [u32; 2],
}

/// A tie with its key as a number.
#[derive(Clone, Copy)]
struct NumberedTie {
    at_us: i64,
    key: u32,
}

/// Collects the keys of an export's rows; the order in which they are added does not change what is planned.
pub struct Planner {
    salt: String,
    validation_share: f64,
    test_share: f64,
    dedup: Dedup,
    kto_balance: KtoBalance,
    numbers: HashMap<ContentHash, u32>,
    keys: Vec<ContentHash>,
    rows: Vec<Row>,
    ties: Vec<NumberedTie>,
    voters: Vec<u32>,
    strata: HashMap<ContentHash, u32>,
    /// By cell: what an answer of it weighs; nothing where all weigh the same.
    propensities: Vec<f64>,
    rules: Rules,
    n_added: u32,
}

impl Planner {
    /// Starts a plan under a recipe's options.
    pub fn new(options: &Options) -> Self {
        Self {
            salt: options.split_salt.clone(),
            validation_share: options.validation_share,
            test_share: options.test_share,
            dedup: options.dedup,
            kto_balance: options.kto_balance,
            numbers: HashMap::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            ties: Vec::new(),
            voters: Vec::new(),
            strata: HashMap::new(),
            propensities: Vec::new(),
            rules: Rules::of(options),
            n_added: 0,
        }
    }

    /// Weighs rows by the cells of their answers: a pair by the geometric mean of its two.
    pub fn weigh_by(&mut self, propensities: Vec<f64>) {
        self.propensities = propensities;
    }

    /// Adds the key of an example.
    pub fn add(&mut self, key: PlanKey) {
        let index = self.n_added;
        self.n_added += 1;
        self.push(key, index);
    }

    /// Adds the key of a row that was an example once; it takes no place, but what it tied together stays so.
    pub fn add_former(&mut self, key: PlanKey) {
        self.push(key, FORMER);
    }

    fn push(&mut self, key: PlanKey, index: u32) {
        let Traits { weight, lengths, stratum, voters, cells } = key.traits;
        let first_voter = self.voters.len() as u32;
        for voter in voters {
            let number = self.number(voter);
            self.voters.push(number);
        }
        self.rows.push(Row {
            kind: key.kind,
            label: key.label,
            id: key.row_id,
            texts: key.texts,
            created_at_us: key.created_at.timestamp_micros(),
            n_votes: key.n_votes,
            index,
            first_tie: self.ties.len() as u32,
            first_voter,
            weight,
            lengths,
            presentation: stratum.numbered(&mut self.strata),
            cells,
        });
        for tie in key.ties {
            let key = self.number(tie.key);
            self.ties.push(NumberedTie { at_us: tie.at.timestamp_micros(), key });
        }
        let first = self.rows.last().map_or(0, |row| row.first_tie as usize);
        // The prompt comes first and is the earliest, so that a stable sort leaves it there.
        self.ties[first..].sort_by_key(|tie| tie.at_us);
    }

    fn number(&mut self, key: ContentHash) -> u32 {
        let next = self.keys.len() as u32;
        match self.numbers.entry(key) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.keys.push(key);
                *entry.insert(next)
            }
        }
    }

    /// Places every row that stays.
    pub fn plan(mut self) -> Plan {
        // Every key has its number by now; the table would be the largest part of the memory.
        self.numbers = HashMap::new();
        let mut components = self.walk();
        let mut exclusions: BTreeMap<RowKind, Exclusions> = BTreeMap::new();
        let mut stay: Vec<(usize, Split)> = Vec::new();
        for place in (0..self.rows.len()).filter(|place| self.rows[*place].index != FORMER) {
            match self.common_split(place, &mut components) {
                Some(split) => stay.push((place, split)),
                None => exclusions.entry(self.rows[place].kind).or_default().add(BRIDGES_SPLITS),
            }
        }
        if self.dedup == Dedup::Exact {
            self.drop_duplicates(&mut stay, &mut exclusions);
        }
        self.pick(&mut stay, &mut exclusions);
        if self.kto_balance == KtoBalance::Downsample {
            for split in Split::ALL {
                self.downsample(&mut stay, split, &mut exclusions);
            }
        }
        stay.sort_by_key(|(place, _)| (self.rows[*place].created_at_us, self.rows[*place].id));
        let n_labelled = |label| stay.iter().filter(|(place, _)| self.rows[*place].label == Some(label)).count() as u64;
        let n_labels = (n_labelled(true), n_labelled(false));
        let mut sizes: HashMap<u32, u64> = HashMap::new();
        let placements = stay
            .iter()
            .map(|(place, split)| {
                let founder = components.founding_key(self.row_ties(*place)[0].key);
                *sizes.entry(founder).or_default() += 1;
                let row = &self.rows[*place];
                let group = self.keys[founder as usize];
                Placement { index: row.index as usize, kind: row.kind, split: *split, group, weight: row.weight }
            })
            .collect();
        Plan {
            placements,
            exclusions,
            users: self.users(&stay),
            n_labels,
            n_groups: sizes.len() as u64,
            n_rows_largest_group: sizes.values().copied().max().unwrap_or(0),
        }
    }

    fn row_ties(&self, place: usize) -> &[NumberedTie] {
        let end = self.rows.get(place + 1).map_or(self.ties.len(), |next| next.first_tie as usize);
        &self.ties[self.rows[place].first_tie as usize..end]
    }

    fn row_voters(&self, place: usize) -> &[u32] {
        let end = self.rows.get(place + 1).map_or(self.voters.len(), |next| next.first_voter as usize);
        &self.voters[self.rows[place].first_voter as usize..end]
    }

    /// Lets rows leave that the picks leave out, and gives the others their weights.
    fn pick(&mut self, stay: &mut Vec<(usize, Split)>, exclusions: &mut BTreeMap<RowKind, Exclusions>) {
        // Ties are beside the rows that a trainer reads.
        for kind in RowKind::ALL.into_iter().filter(|kind| *kind != RowKind::Tie) {
            let of_kind: Vec<(usize, Split)> =
                stay.iter().filter(|(place, _)| self.rows[*place].kind == kind).copied().collect();
            let row = |nth: usize| self.pickable(of_kind[nth].0, of_kind[nth].1);
            let fates = picks::pick(of_kind.len(), &row, self.keys.len(), &self.rules);
            let mut fates = fates.into_iter();
            stay.retain(|(place, _)| {
                let row = &mut self.rows[*place];
                if row.kind != kind {
                    return true;
                }
                match fates.next() {
                    Some(Ok(weight)) => row.weight = weight,
                    Some(Err(reason)) => {
                        exclusions.entry(kind).or_default().add(reason);
                        return false;
                    }
                    None => {}
                }
                true
            });
        }
    }

    fn users(&self, stay: &[(usize, Split)]) -> BTreeMap<RowKind, UserRows> {
        let mut users: BTreeMap<RowKind, UserRows> = BTreeMap::new();
        let mut n_rows: HashMap<(RowKind, u32), u64> = HashMap::new();
        for (place, _) in stay {
            let (kind, voters) = (self.rows[*place].kind, self.row_voters(*place));
            users.entry(kind).or_default().n_rows_without_user += u64::from(voters.is_empty());
            for voter in voters {
                *n_rows.entry((kind, *voter)).or_default() += 1;
            }
        }
        for ((kind, _), n) in n_rows {
            let of_kind = users.entry(kind).or_default();
            of_kind.n_users += 1;
            of_kind.n_rows_of_busiest = of_kind.n_rows_of_busiest.max(n);
        }
        users
    }

    fn pickable(&self, place: usize, split: Split) -> Pickable<'_> {
        let row = &self.rows[place];
        let propensity = |cell: u32| self.propensities.get(cell as usize).copied().unwrap_or(1.0);
        let [better, worse] = row.cells.map(propensity);
        Pickable {
            id: row.id,
            split,
            created_at_us: row.created_at_us,
            weight: row.weight * (better * worse).sqrt(),
            voters: self.row_voters(place),
            lengths: row.lengths,
            presentation: row.presentation,
        }
    }

    /// Gives keys to splits in the order of the ties; the moments of a row that tie at once are taken at once.
    fn walk(&self) -> Components {
        let mut moments: Vec<(i64, u32)> = Vec::with_capacity(self.rows.len());
        for place in 0..self.rows.len() {
            let ties = self.row_ties(place);
            let starts = (0..ties.len()).filter(|&nth| nth == 0 || ties[nth].at_us != ties[nth - 1].at_us);
            moments.extend(starts.map(|nth| (ties[nth].at_us, place as u32)));
        }
        // Two rows that tie the same keys at the same moment do the same, so that their order does not matter; and what
        // a row ties at a moment is the same in every later export, even where the row itself has left.
        let keys = |&(at_us, place): &(i64, u32)| {
            let ties = self.row_ties(place as usize);
            let together = ties.iter().filter(move |tie| tie.at_us == at_us);
            together.map(|tie| self.keys[tie.key as usize])
        };
        moments.sort_unstable_by(|left, right| {
            left.0.cmp(&right.0).then_with(|| {
                let prompt = |moment: &(i64, u32)| self.keys[self.row_ties(moment.1 as usize)[0].key as usize];
                prompt(left).cmp(&prompt(right)).then_with(|| keys(left).cmp(keys(right)))
            })
        });
        let mut components = Components::new(self.keys.len());
        let mut together: Vec<u32> = Vec::new();
        for (at_us, place) in moments {
            let ties = self.row_ties(place as usize);
            together.clear();
            together.push(ties[0].key);
            together.extend(ties.iter().filter(|tie| tie.at_us == at_us).map(|tie| tie.key));
            components.join(&together, |founder| self.draw(founder));
        }
        components
    }

    /// Draws the split of a component from the salt and the key that founds it.
    fn draw(&self, founder: u32) -> Split {
        // HMAC takes a key of any length, so that the other arm is never taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.salt.as_bytes()) else { return Split::Train };
        mac.update(&self.keys[founder as usize].0);
        let digest = mac.finalize().into_bytes();
        let leading = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let share = leading as f64 / (u64::MAX as f64);
        if share < self.test_share {
            Split::Test
        } else if share < self.test_share + self.validation_share {
            Split::Validation
        } else {
            Split::Train
        }
    }

    /// Returns the split that holds every key of a row, if one does.
    fn common_split(&self, place: usize, components: &mut Components) -> Option<Split> {
        let ties = self.row_ties(place);
        let split = components.split(ties.first()?.key)?;
        ties.iter().all(|tie| components.split(tie.key) == Some(split)).then_some(split)
    }

    /// Leaves out rows of the larger class of a split's labels, by their ids, until KTO needs no weights. A split that has
    /// only one class stays as it is.
    fn downsample(&self, stay: &mut Vec<(usize, Split)>, split: Split, exclusions: &mut BTreeMap<RowKind, Exclusions>) {
        let of_label = |label: bool| {
            let mut ids: Vec<ContentHash> = stay
                .iter()
                .filter(|(place, of)| *of == split && self.rows[*place].label == Some(label))
                .map(|(place, _)| self.rows[*place].id)
                .collect();
            ids.sort_unstable();
            ids
        };
        let (good, bad) = (of_label(true), of_label(false));
        let (n_good, n_bad) = balanced(good.len(), bad.len());
        let dropped: HashSet<&ContentHash> = good.iter().skip(n_good).chain(bad.iter().skip(n_bad)).collect();
        stay.retain(|(place, _)| {
            let is_dropped = dropped.contains(&self.rows[*place].id);
            if is_dropped {
                exclusions.entry(self.rows[*place].kind).or_default().add(DOWNSAMPLED);
            }
            !is_dropped
        });
    }

    /// Keeps the best supported of the rows with one text: most votes, then earliest, then smallest id.
    fn drop_duplicates(&self, stay: &mut Vec<(usize, Split)>, exclusions: &mut BTreeMap<RowKind, Exclusions>) {
        stay.sort_by_key(|(place, _)| {
            let row = &self.rows[*place];
            (row.texts, std::cmp::Reverse(row.n_votes), row.created_at_us, row.id)
        });
        stay.dedup_by(|(place, _), (kept, _)| {
            let (row, kept) = (&self.rows[*place], &self.rows[*kept]);
            let is_repeated = row.texts == kept.texts;
            if is_repeated {
                exclusions.entry(row.kind).or_default().add(DUPLICATE);
            }
            is_repeated
        });
    }
}
