//! How good several answers are, told from who was preferred to whom: the model of Bradley and Terry.
//!
//! Numbers only: it knows nothing of voters, time or texts. `stats::bradley_terry` compares whole models by the same
//! likelihood and is another fit: it has a penalty or no prior at all where this one has votes against an imagined answer,
//! and errors clustered by rater, which ranking does without. Neither layer may know the other, and what they would share
//! is the sum over pairs and a small system of equations.

/// How little a strength may still change for the iteration to end.
const TOLERANCE: f64 = 1e-9;
/// Bound of the iteration; about ten rounds are needed.
const MAX_ROUNDS: usize = 100;
/// How often a step that goes too far is halved.
const MAX_HALVINGS: usize = 40;

/// Who was preferred to whom, how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Wins {
    n_answers: usize,
    counts: Vec<f64>,
}

impl Wins {
    /// Starts with `n_answers` answers and no votes.
    pub fn new(n_answers: usize) -> Self {
        Self { n_answers, counts: vec![0.0; n_answers * n_answers] }
    }

    /// Adds votes for `winner` over `loser`; a tie is half a vote for each. Adding a negative number takes them back.
    pub fn add(&mut self, winner: usize, loser: usize, n_votes: f64) {
        self.counts[winner * self.n_answers + loser] += n_votes;
    }

    /// Returns how often `winner` was preferred to `loser`.
    pub fn of(&self, winner: usize, loser: usize) -> f64 {
        self.counts[winner * self.n_answers + loser]
    }

    /// Returns the votes in which an answer took part.
    pub fn n_votes_on(&self, answer: usize) -> f64 {
        (0..self.n_answers).map(|other| self.of(answer, other) + self.of(other, answer)).sum()
    }

    /// Names the part of each answer: within one, every answer is tied to every other by votes, whoever won them.
    pub fn components(&self) -> Vec<usize> {
        let mut components: Vec<usize> = (0..self.n_answers).collect();
        for start in 0..self.n_answers {
            if components[start] < start {
                continue;
            }
            let mut open = vec![start];
            while let Some(answer) = open.pop() {
                for (other, component) in components.iter_mut().enumerate().skip(start + 1) {
                    if *component != start && self.of(answer, other) + self.of(other, answer) > 0.0 {
                        *component = start;
                        open.push(other);
                    }
                }
            }
        }
        components
    }

    /// Tells whether every answer reaches every other over victories alone (Ford 1957): without a prior, strengths are
    /// finite only then.
    fn is_strongly_connected(&self) -> bool {
        let reaches_all = |won: &dyn Fn(usize, usize) -> bool| {
            let mut seen = vec![false; self.n_answers];
            let mut open = vec![0];
            while let Some(answer) = open.pop() {
                if !std::mem::replace(&mut seen[answer], true) {
                    open.extend((0..self.n_answers).filter(|&other| !seen[other] && won(answer, other)));
                }
            }
            seen.iter().all(|seen| *seen)
        };
        self.n_answers > 0
            && reaches_all(&|winner, loser| self.of(winner, loser) > 0.0)
            && reaches_all(&|loser, winner| self.of(winner, loser) > 0.0)
    }
}

/// Strengths of answers, as far as votes tie them together.
#[derive(Debug, Clone, PartialEq)]
pub struct Strengths {
    thetas: Vec<f64>,
    components: Vec<usize>,
}

impl Strengths {
    /// Fits `P(i beats j) = 1 / (1 + exp(theta_j - theta_i))` to votes.
    ///
    /// The prior is `prior_votes` votes of each answer, half of them won, against an imagined one of strength 0. With
    /// it the posterior has one finite mode whatever the votes are; without (0) it is the maximum of the likelihood,
    /// and there is none where one answer cannot be reached from another over victories. The logarithm is concave, so
    /// that Newton's method, its steps halved where they go too far, finds the mode in a few bounded rounds; Hunter's
    /// (2004) MM algorithm needs thousands on a chain of single votes. Bradley & Terry 1952, Biometrika 39; the prior
    /// after Caron & Doucet 2012.
    pub fn fit(wins: &Wins, prior_votes: f64) -> Option<Self> {
        if prior_votes <= 0.0 && !wins.is_strongly_connected() {
            return None;
        }
        let mut thetas = vec![0.0; wins.n_answers];
        let mut before = ln_posterior(wins, prior_votes, &thetas);
        for _ in 0..MAX_ROUNDS {
            let mut step = newton_step(wins, prior_votes, &thetas)?;
            let mut next = moved(&thetas, &step);
            let mut after = ln_posterior(wins, prior_votes, &next);
            for _ in 0..MAX_HALVINGS {
                if after >= before {
                    break;
                }
                for of_answer in &mut step {
                    *of_answer /= 2.0;
                }
                next = moved(&thetas, &step);
                after = ln_posterior(wins, prior_votes, &next);
            }
            let largest = step.iter().fold(0.0_f64, |largest, of_answer| largest.max(of_answer.abs()));
            (thetas, before) = (next, after);
            if largest < TOLERANCE {
                break;
            }
        }
        Some(Self { thetas, components: wins.components() })
    }

    /// Returns how likely `answer` beats `other`; nothing where no chain of votes ties the two together.
    pub fn win_probability(&self, answer: usize, other: usize) -> Option<f64> {
        let together = self.components[answer] == self.components[other];
        together.then(|| 1.0 / (1.0 + (self.thetas[other] - self.thetas[answer]).exp()))
    }

    /// Returns the logarithms of the strengths.
    pub fn thetas(&self) -> &[f64] {
        &self.thetas
    }
}

fn probability(difference: f64) -> f64 {
    1.0 / (1.0 + (-difference).exp())
}

/// Returns `ln P` of a victory at a difference of strengths, without overflow.
fn ln_probability(difference: f64) -> f64 {
    difference.min(0.0) - (-difference.abs()).exp().ln_1p()
}

fn moved(thetas: &[f64], step: &[f64]) -> Vec<f64> {
    thetas.iter().zip(step).map(|(theta, of_answer)| theta + of_answer).collect()
}

fn ln_posterior(wins: &Wins, prior_votes: f64, thetas: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (winner, of_winner) in thetas.iter().enumerate() {
        sum += prior_votes / 2.0 * (ln_probability(*of_winner) + ln_probability(-of_winner));
        for (loser, of_loser) in thetas.iter().enumerate() {
            let n_wins = wins.of(winner, loser);
            if n_wins > 0.0 {
                sum += n_wins * ln_probability(of_winner - of_loser);
            }
        }
    }
    sum
}

/// Solves `H step = g` with the gradient `g` and the negative second derivatives `H` of the logarithm.
fn newton_step(wins: &Wins, prior_votes: f64, thetas: &[f64]) -> Option<Vec<f64>> {
    let n = thetas.len();
    let mut gradient = vec![0.0; n];
    // Without a prior nothing tells where 0 lies. A constant in every cell fixes it and, the gradient adding up to 0,
    // changes nothing else.
    let mut curvature = vec![if prior_votes > 0.0 { 0.0 } else { 1.0 }; n * n];
    for answer in 0..n {
        let p = probability(thetas[answer]);
        gradient[answer] += prior_votes * (0.5 - p);
        curvature[answer * n + answer] += prior_votes * p * (1.0 - p);
        for other in (0..n).filter(|other| *other != answer) {
            let n_votes = wins.of(answer, other) + wins.of(other, answer);
            if n_votes > 0.0 {
                let p = probability(thetas[answer] - thetas[other]);
                gradient[answer] += wins.of(answer, other) - n_votes * p;
                curvature[answer * n + answer] += n_votes * p * (1.0 - p);
                curvature[answer * n + other] -= n_votes * p * (1.0 - p);
            }
        }
    }
    solve(&mut curvature, gradient)
}

/// Solves a system whose matrix is symmetric and positive definite, by Cholesky's factors; they replace the matrix.
fn solve(matrix: &mut [f64], mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let product = |k: usize| matrix[row * n + k] * matrix[column * n + k];
            let rest = matrix[row * n + column] - (0..column).map(product).sum::<f64>();
            matrix[row * n + column] = if row == column {
                // A strength so far out that rounding leaves no curvature stays where it is.
                rest.max(1e-12).sqrt()
            } else {
                rest / matrix[column * n + column]
            };
        }
    }
    for row in 0..n {
        let known: f64 = (0..row).map(|k| matrix[row * n + k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| matrix[k * n + row] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row * n + row];
    }
    right.iter().all(|of_answer| of_answer.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wins(rows: &[&[f64]]) -> Wins {
        let mut wins = Wins::new(rows.len());
        for (winner, row) in rows.iter().enumerate() {
            for (loser, n) in row.iter().enumerate() {
                wins.add(winner, loser, *n);
            }
        }
        wins
    }

    fn close(got: &[f64], want: &[f64], tolerance: f64) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < tolerance, "{got} is not {want}");
        }
    }

    /// Strengths with the first answer's at 0, as the references state them.
    fn from_first(wins: &Wins) -> Vec<f64> {
        let strengths = Strengths::fit(wins, 0.0).unwrap();
        strengths.thetas().iter().map(|theta| theta - strengths.thetas()[0]).collect()
    }

    /// Expected values: maximum likelihood by Newton's method, checked against choix 0.4.1 `opt_pairwise(alpha=0)`.
    #[test]
    fn without_a_prior_it_is_the_maximum_of_the_likelihood() {
        let two = wins(&[&[0.0, 30.0], &[20.0, 0.0]]);
        let with_ties = wins(&[&[0.0, 10.5, 6.0], &[9.5, 0.0, 8.5], &[12.0, 7.5, 0.0]]);
        let four = wins(&[
            &[0.0, 40.0, 22.0, 15.0],
            &[35.0, 0.0, 30.0, 20.0],
            &[18.0, 25.0, 0.0, 33.0],
            &[9.0, 14.0, 21.0, 0.0],
        ]);
        let lopsided = wins(&[&[0.0, 1.0], &[9999.0, 0.0]]);
        let missing_pair = wins(&[&[0.0, 14.0, 0.0], &[11.0, 0.0, 9.0], &[0.0, 12.0, 0.0]]);

        close(&from_first(&two), &[0.0, -0.405_465_108_108_164_5], 1e-8);
        close(&from_first(&with_ties), &[0.0, 0.166_626_593_414_895_77, 0.375_181_922_385_071_6], 1e-8);
        let want = [0.0, -0.112_701_445_283_640_79, -0.206_666_151_720_998_36, -0.569_896_805_261_456_3];
        close(&from_first(&four), &want, 1e-8);
        close(&from_first(&lopsided), &[0.0, 9.210_240_366_974_146], 1e-8);
        close(&from_first(&missing_pair), &[0.0, -0.241_162_056_816_888_38, 0.046_520_015_634_892_42], 1e-8);
    }

    /// Expected values: the same posterior in Python, by Gauss and Jordan's elimination, to 1e-15.
    #[test]
    fn with_a_prior_it_is_the_mode_of_the_posterior() {
        let undefeated = wins(&[&[0.0, 5.0, 6.0], &[0.0, 0.0, 4.0], &[0.0, 3.0, 0.0]]);
        let one_vote = wins(&[&[0.0, 1.0], &[0.0, 0.0]]);
        let chain = wins(&[&[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0], &[0.0, 0.0, 0.0]]);

        let thetas = |wins: &Wins| Strengths::fit(wins, 0.1).unwrap().thetas().to_vec();

        let want = [4.342_647_510_744_173_5, -0.926_945_283_191_330_3, -1.212_322_809_046_681_5];
        close(&thetas(&undefeated), &want, 1e-6);
        close(&thetas(&one_vote), &[1.670_838_664_109_543_6, -1.670_838_664_109_542], 1e-7);
        close(&thetas(&chain), &[3.044_522_437_723_431, 0.0, -3.044_522_437_723_417_7], 1e-6);
    }

    #[test]
    fn a_long_chain_of_single_votes_is_ranked_from_end_to_end() {
        let mut wins = Wins::new(32);
        for answer in 0..31 {
            wins.add(answer, answer + 1, 1.0);
        }

        let strengths = Strengths::fit(&wins, 0.1).unwrap();

        assert!(strengths.thetas().is_sorted_by(|left, right| left > right), "{strengths:?}");
        assert!(strengths.win_probability(0, 31).unwrap() > 0.999);
        let sum: f64 = strengths.thetas().iter().sum();
        assert!(sum.abs() < 1e-6, "the two ends mirror each other: {sum}");
    }

    #[test]
    fn without_a_prior_there_is_nothing_where_somebody_is_undefeated_or_out_of_reach() {
        let undefeated = wins(&[&[0.0, 5.0, 6.0], &[0.0, 0.0, 4.0], &[0.0, 3.0, 0.0]]);
        let apart = wins(&[&[0.0, 4.0, 0.0, 0.0], &[3.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 6.0], &[0.0, 0.0, 5.0, 0.0]]);

        assert_eq!(Strengths::fit(&undefeated, 0.0), None);
        assert_eq!(Strengths::fit(&apart, 0.0), None);
        let strengths = Strengths::fit(&apart, 0.1).unwrap();
        assert_eq!(strengths.win_probability(1, 2), None, "no vote ties them together");
        assert!(strengths.win_probability(0, 1).unwrap() > 0.5);
    }

    #[test]
    fn a_circle_of_victories_leaves_everybody_equal() {
        let circle = wins(&[&[0.0, 3.0, 0.0], &[0.0, 0.0, 3.0], &[3.0, 0.0, 0.0]]);

        let strengths = Strengths::fit(&circle, 0.1).unwrap();

        close(strengths.thetas(), &[0.0; 3], 1e-9);
        assert!((strengths.win_probability(0, 2).unwrap() - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn with_a_prior_the_fit_is_finite_and_its_gradient_is_zero(
            counts in proptest::collection::vec(0_u8..4, 25),
        ) {
            let mut wins = Wins::new(5);
            for (place, n) in counts.iter().enumerate() {
                if place / 5 != place % 5 {
                    wins.add(place / 5, place % 5, f64::from(*n) / 2.0);
                }
            }

            let strengths = Strengths::fit(&wins, 0.1).unwrap();

            for (answer, theta) in strengths.thetas().iter().enumerate() {
                prop_assert!(theta.is_finite());
                let mut gradient = 0.1 * (0.5 - probability(*theta));
                for (other, rival) in strengths.thetas().iter().enumerate() {
                    let n = wins.of(answer, other) + wins.of(other, answer);
                    gradient += wins.of(answer, other) - n * probability(theta - rival);
                }
                prop_assert!(gradient.abs() < 1e-6, "gradient {gradient} at {answer}");
            }
        }

        #[test]
        fn another_vote_for_an_answer_never_makes_it_weaker(
            counts in proptest::collection::vec(0_u8..4, 16),
            winner in 0_usize..4,
            loser in 0_usize..4,
        ) {
            prop_assume!(winner != loser);
            let mut wins = Wins::new(4);
            for (place, n) in counts.iter().enumerate() {
                if place / 4 != place % 4 {
                    wins.add(place / 4, place % 4, f64::from(*n));
                }
            }
            wins.add(loser, winner, 1.0);
            let before = Strengths::fit(&wins, 0.1).unwrap().win_probability(winner, loser).unwrap();

            wins.add(winner, loser, 1.0);

            let after = Strengths::fit(&wins, 0.1).unwrap().win_probability(winner, loser).unwrap();
            prop_assert!(after > before);
        }
    }
}
