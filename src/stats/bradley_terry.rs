//! The strengths of several models, told from which answer was preferred to which: the model of Bradley and Terry.
//!
//! `P(i beats j) = 1/(1 + exp(theta_j - theta_i))`. Unlike Elo it does not depend on the order of the votes. Model 0 is
//! control. It must not know who the raters are. `dataset::bradley_terry` ranks the answers to one prompt by the same
//! model: it stays apart because `dataset` may not know `stats`, because its prior is made of votes where this one is a
//! penalty, and because it needs no errors, which are what this is for.

use std::collections::BTreeMap;
use std::f64::consts::LN_10;

/// Bound of the iteration; about ten rounds are needed, and one more for every unit of a very large strength.
const MAX_ROUNDS: usize = 1000;
/// A round that moves every difference of strengths by less is the last one: the rounds converge quadratically.
const TOLERANCE: f64 = 1e-10;

/// Holds who was preferred to whom, how often: a tie is half a victory of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Victories {
    n_models: usize,
    counts: Vec<f64>,
}

/// Holds one choice of one rater between two models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Who chose, as any number.
    pub rater: usize,
    /// Model that was preferred.
    pub winner: usize,
    /// Model that was not.
    pub loser: usize,
    /// How much it counts; a tie is two choices of weight one half.
    pub weight: f64,
}

/// Holds the strengths of models, those of control at 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Strengths {
    /// Logarithms of the strengths; 0 for control.
    pub thetas: Vec<f64>,
    /// Their standard errors, votes taken as independent; 0 for control, which is the reference.
    pub errors: Vec<f64>,
}

/// Holds strengths with standard errors that know that one rater casts many votes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusteredStrengths {
    /// The strengths with their naive errors.
    pub strengths: Strengths,
    /// Standard errors clustered by rater, 0 for control; nothing for fewer than two raters.
    pub clustered_errors: Option<Vec<f64>>,
    /// Raters with a choice that counts.
    pub n_raters: usize,
}

impl Victories {
    /// Reads `rows[i][j]` = how often i was preferred to j; nothing unless it is a square of counts for two models or more.
    pub fn of_rows(rows: &[Vec<f64>]) -> Option<Self> {
        let n_models = rows.len();
        let is_square = rows.iter().all(|row| row.len() == n_models);
        let counts = rows.concat();
        let are_counts = counts.iter().all(|n| *n >= 0.0 && n.is_finite());
        (n_models > 1 && is_square && are_counts).then_some(Self { n_models, counts })
    }

    /// Adds choices up; nothing where a model is named that there is not, against itself, or with a weight below 0.
    pub fn of_choices(n_models: usize, choices: &[Choice]) -> Option<Self> {
        let mut counts = vec![0.0; n_models * n_models];
        for choice in choices {
            let is_one = choice.winner.max(choice.loser) < n_models && choice.winner != choice.loser;
            if !(is_one && choice.weight >= 0.0 && choice.weight.is_finite()) {
                return None;
            }
            counts[choice.winner * n_models + choice.loser] += choice.weight;
        }
        (n_models > 1).then_some(Self { n_models, counts })
    }

    fn of(&self, winner: usize, loser: usize) -> f64 {
        self.counts[winner * self.n_models + loser]
    }

    /// Tells whether every model reaches every other over victories alone (Ford 1957).
    fn is_strongly_connected(&self) -> bool {
        let reaches_all = |won: &dyn Fn(usize, usize) -> bool| {
            let mut seen = vec![false; self.n_models];
            let mut open = vec![0];
            while let Some(model) = open.pop() {
                if !std::mem::replace(&mut seen[model], true) {
                    open.extend((0..self.n_models).filter(|&other| !seen[other] && won(model, other)));
                }
            }
            seen.iter().all(|seen| *seen)
        };
        reaches_all(&|winner, loser| self.of(winner, loser) > 0.0)
            && reaches_all(&|loser, winner| self.of(winner, loser) > 0.0)
    }

    /// Gives the gradient of the log-likelihood and its negative second derivatives (the Fisher information).
    fn derivatives(&self, thetas: &[f64]) -> (Vec<f64>, Matrix) {
        let mut gradient = vec![0.0; self.n_models];
        let mut information = Matrix::zeros(self.n_models);
        for i in 0..self.n_models {
            for j in (0..self.n_models).filter(|&j| j != i) {
                let n_votes = self.of(i, j) + self.of(j, i);
                if n_votes > 0.0 {
                    let (wins, loses) = (probability(thetas[i] - thetas[j]), probability(thetas[j] - thetas[i]));
                    // Not `wins - n p`, which loses the digits of a rare victory among many.
                    gradient[i] += self.of(i, j) * loses - self.of(j, i) * wins;
                    *information.at(i, i) += n_votes * wins * loses;
                    *information.at(i, j) -= n_votes * wins * loses;
                }
            }
        }
        (gradient, information)
    }
}

impl Strengths {
    /// Returns how likely each model is preferred to control.
    pub fn win_probabilities(&self) -> Vec<f64> {
        self.thetas.iter().map(|theta| probability(theta - self.thetas[0])).collect()
    }

    /// Returns the distance of each model from control in points of Elo's scale, `theta·400/ln 10`.
    pub fn elo_differences(&self) -> Vec<f64> {
        self.thetas.iter().map(|theta| (theta - self.thetas[0]) * 400.0 / LN_10).collect()
    }
}

/// Fits the strengths of maximum likelihood, with control at 0.
///
/// Errors are the roots of the diagonal of the inverse Fisher information, row and column of control deleted. Nothing
/// unless every model reaches every other over victories (Ford 1957): then some strength is infinite, and
/// [`bradley_terry_map`] says what little is known. Assumes independent votes and one strength per model.
/// Bradley & Terry 1952.
pub fn bradley_terry(victories: &Victories) -> Option<Strengths> {
    maximum(victories).map(|(strengths, _)| strengths)
}

/// Fits strengths that maximise `log likelihood - ridge Σθ²`: finite whatever the votes are, and adding up to 0.
///
/// The mode of the posterior under independent normal priors of variance `1/(2 ridge)`. Shown where
/// [`bradley_terry`] has no answer, with the words that there are not enough comparisons. Nothing without a ridge.
pub fn bradley_terry_map(victories: &Victories, ridge: f64) -> Option<Vec<f64>> {
    if !(ridge > 0.0 && ridge.is_finite()) {
        return None;
    }
    let mut thetas = vec![0.0; victories.n_models];
    for _ in 0..MAX_ROUNDS {
        let (mut gradient, mut information) = victories.derivatives(&thetas);
        for (model, theta) in thetas.iter().enumerate() {
            gradient[model] -= 2.0 * ridge * theta;
            *information.at(model, model) += 2.0 * ridge;
        }
        if advance(&mut thetas, &information.factor()?.solve(&gradient))? < TOLERANCE {
            return Some(thetas);
        }
    }
    None
}

/// Fits strengths of maximum likelihood with standard errors clustered by rater.
///
/// Sandwich `H⁻¹ [G/(G-1) Σ_c u_c u_c'] H⁻¹` with control deleted: `u_c` is the rater's share of the gradient,
/// `Σ weight (1 - P_ij)(e_i - e_j)`, `H` the Fisher information and `G` the number of raters. Assumes independent raters,
/// enough of them (20 and more) for the sandwich. Nothing where [`bradley_terry`] has no answer. Huber 1967;
/// Liang & Zeger 1986.
pub fn bradley_terry_cluster(n_models: usize, choices: &[Choice]) -> Option<ClusteredStrengths> {
    let (strengths, factor) = maximum(&Victories::of_choices(n_models, choices)?)?;
    let mut scores: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for choice in choices.iter().filter(|choice| choice.weight > 0.0) {
        let surprise = probability(strengths.thetas[choice.loser] - strengths.thetas[choice.winner]);
        let score = scores.entry(choice.rater).or_insert_with(|| vec![0.0; n_models]);
        score[choice.winner] += choice.weight * surprise;
        score[choice.loser] -= choice.weight * surprise;
    }
    let n_raters = scores.len();
    let mut variances = vec![0.0; n_models];
    for score in scores.values() {
        for (variance, moved) in variances[1..].iter_mut().zip(factor.solve(&score[1..])) {
            *variance += moved * moved;
        }
    }
    let g = n_raters as f64;
    let clustered_errors =
        (n_raters > 1).then(|| variances.iter().map(|variance| (g / (g - 1.0) * variance).sqrt()).collect());
    Some(ClusteredStrengths { strengths, clustered_errors, n_raters })
}

/// Finds the strengths of maximum likelihood, and the factor of the information there, control deleted.
fn maximum(victories: &Victories) -> Option<(Strengths, Factor)> {
    if !victories.is_strongly_connected() {
        return None;
    }
    let mut thetas = vec![0.0; victories.n_models];
    for _ in 0..MAX_ROUNDS {
        let (gradient, information) = victories.derivatives(&thetas);
        let factor = information.without_first().factor()?;
        let mut step = vec![0.0];
        step.extend(factor.solve(&gradient[1..]));
        if advance(&mut thetas, &step)? < TOLERANCE {
            let variances = (1..thetas.len()).map(|model| factor.inverse_diagonal(model - 1));
            let errors = std::iter::once(0.0).chain(variances.map(f64::sqrt)).collect();
            return Some((Strengths { thetas, errors }, factor));
        }
    }
    None
}

/// Takes a Newton step, shortened so that it never goes too far, and returns how much it moved a difference at most.
///
/// The curvature of a logistic likelihood changes by at most the factor `exp(r)` where differences change by `r`, so
/// that `ln(1 + r)/r` of the step does not pass the maximum along it (generalised self-concordance, Sun & Tran-Dinh
/// 2018): no likelihood need be compared, whose rounding would end the search early. Nothing for a step that is none.
fn advance(thetas: &mut [f64], step: &[f64]) -> Option<f64> {
    if !step.iter().all(|of_model| of_model.is_finite()) {
        return None;
    }
    let (low, high) = step.iter().fold((0.0_f64, 0.0_f64), |(low, high), s| (low.min(*s), high.max(*s)));
    let reach = high - low;
    let share = if reach > 0.0 { reach.ln_1p() / reach } else { 1.0 };
    for (theta, of_model) in thetas.iter_mut().zip(step) {
        *theta += share * of_model;
    }
    Some(reach)
}

fn probability(difference: f64) -> f64 {
    1.0 / (1.0 + (-difference).exp())
}

/// Holds a square matrix by rows.
#[derive(Debug, Clone, PartialEq)]
struct Matrix {
    n: usize,
    cells: Vec<f64>,
}

impl Matrix {
    fn zeros(n: usize) -> Self {
        Self { n, cells: vec![0.0; n * n] }
    }

    fn at(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.cells[row * self.n + column]
    }

    fn without_first(&self) -> Self {
        let rows = self.cells.chunks(self.n).skip(1);
        Self { n: self.n - 1, cells: rows.flat_map(|row| &row[1..]).copied().collect() }
    }

    /// Factors a symmetric matrix by Cholesky; nothing unless it is positive definite.
    fn factor(mut self) -> Option<Factor> {
        for row in 0..self.n {
            for column in 0..=row {
                let known: f64 =
                    (0..column).map(|k| self.cells[row * self.n + k] * self.cells[column * self.n + k]).sum();
                let rest = *self.at(row, column) - known;
                *self.at(row, column) = if row == column {
                    if !(rest > 0.0 && rest.is_finite()) {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / *self.at(column, column)
                };
            }
        }
        Some(Factor(self))
    }
}

/// Holds the lower triangle of a Cholesky factorisation.
#[derive(Debug, Clone, PartialEq)]
struct Factor(Matrix);

impl Factor {
    /// Solves the system that was factored for one right side.
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (n, cells) = (self.0.n, &self.0.cells);
        let mut solution = right.to_vec();
        for row in 0..n {
            let known: f64 = (0..row).map(|k| cells[row * n + k] * solution[k]).sum();
            solution[row] = (solution[row] - known) / cells[row * n + row];
        }
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|k| cells[k * n + row] * solution[k]).sum();
            solution[row] = (solution[row] - known) / cells[row * n + row];
        }
        solution
    }

    /// Gives one cell of the diagonal of the inverse.
    fn inverse_diagonal(&self, at: usize) -> f64 {
        let unit: Vec<f64> = (0..self.0.n).map(|i| if i == at { 1.0 } else { 0.0 }).collect();
        self.solve(&unit)[at]
    }
}
