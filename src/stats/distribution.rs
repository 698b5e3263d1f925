//! Distribution functions: normal, t, chi-square, incomplete beta.
//!
//! From `statrs` come the logarithm of gamma for small arguments and the first guess of the normal quantile. The rest
//! is our own, because measured against the C library and the reference vectors its error function is good to ten
//! digits only, its incomplete beta stops after 140 terms (too few for the large counts here), and its t and beta
//! quantiles inherit both. It knows nothing of what the numbers mean.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::{erf, gamma};

const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
const SQRT_PI: f64 = 1.772_453_850_905_516;
/// Up to here `1 - erf` loses at most two digits; beyond it the continued fraction needs no more than 150 terms.
const ERFC_FRACTION_FROM: f64 = 1.5;
/// Above this many degrees of freedom the first term of the expansion of t about the normal is exact to 1e-14.
const NEARLY_NORMAL_DF: f64 = 1e7;

/// Gives the standard normal density.
pub fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z - LN_SQRT_2PI).exp()
}

/// Gives the complementary error function to nearly full precision, the far tail included.
///
/// Series of positive terms near 0 (Abramowitz & Stegun 7.1.6), Laplace's continued fraction beyond (7.1.14).
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let square = x * x;
    // The rounding of x² would cost as many digits as x² has before the point.
    let gauss = (-square).exp() * (1.0 - x.mul_add(x, -square));
    if x < ERFC_FRACTION_FROM {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > 1e-17 * sum {
            n += 1.0;
            term *= 2.0 * square / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - 2.0 / SQRT_PI * gauss * sum;
    }
    if gauss <= 0.0 {
        return 0.0;
    }
    let fraction = (1..=150_u32).rev().fold(x, |tail, n| x + 0.5 * f64::from(n) / tail);
    gauss / (SQRT_PI * fraction)
}

/// Gives `P(Z > z)`, accurate in the far upper tail.
pub fn normal_sf(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// Gives `P(Z <= z)`, accurate in the far lower tail.
pub fn normal_cdf(z: f64) -> f64 {
    normal_sf(-z)
}

/// Gives `ln P(Z <= z)` without underflow (asymptotic series of Mills' ratio below -30).
pub fn ln_normal_cdf(z: f64) -> f64 {
    if z > -30.0 {
        return normal_cdf(z).ln();
    }
    let w = 1.0 / (z * z);
    -0.5 * z * z - LN_SQRT_2PI - (-z).ln() + (-w * (1.0 - w * (3.0 - w * (15.0 - 105.0 * w)))).ln_1p()
}

/// Gives the z with `P(Z > z) = tail`; nothing outside `0 < tail < 1`.
///
/// One Halley step brings the ten digits of the `statrs` inverse to full precision.
pub fn normal_upper_quantile(tail: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 1.0) {
        return None;
    }
    if tail > 0.5 {
        return normal_upper_quantile(1.0 - tail).map(|z| -z);
    }
    let z = SQRT_2 * erf::erfc_inv(2.0 * tail);
    let density = normal_density(z);
    if density <= 0.0 {
        return Some(z);
    }
    let step = (normal_sf(z) - tail) / density;
    Some(z + step / (1.0 - 0.5 * z * step))
}

/// Gives `P(T > t)` of Student's t with `df` degrees of freedom (fractional ones too).
pub fn t_sf(t: f64, df: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - t_sf(-t, df);
    }
    if df > NEARLY_NORMAL_DF {
        return normal_sf(t) + normal_density(t) * t * (t * t + 1.0) / (4.0 * df);
    }
    let square = t * t;
    let total = df + square;
    0.5 * beta_regularised(df / 2.0, 0.5, df / total, square / total)
}

/// Gives the t with `P(T > t) = tail`; nothing outside `0 < tail < 1` or for `df <= 0`.
pub fn t_upper_quantile(tail: f64, df: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 1.0 && df > 0.0) {
        return None;
    }
    if tail > 0.5 {
        return t_upper_quantile(1.0 - tail, df).map(|t| -t);
    }
    let mut high = 2.0;
    while t_sf(high, df) > tail && high < 1e300 {
        high *= 2.0;
    }
    Some(bisect(0.0, high, |t| t_sf(t, df) > tail))
}

/// Gives `P(X > x)` of the chi-square distribution with a whole number of degrees of freedom.
///
/// A sum of positive terms from the closed forms at one and two degrees of freedom, hence accurate in the far tail.
pub fn chi2_sf(x: f64, df: u32) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x <= 0.0 || df == 0 {
        return 1.0;
    }
    let half = x / 2.0;
    let (mut shape, mut tail) = if df % 2 == 1 { (0.5, erfc(half.sqrt())) } else { (1.0, (-half).exp()) };
    while shape + 0.5 < f64::from(df) / 2.0 {
        tail += (shape * half.ln() - half - ln_gamma(shape + 1.0)).exp();
        shape += 1.0;
    }
    tail.min(1.0)
}

/// Gives `ln Γ(x)` for `x > 0`: Stirling's series from 10 on, `statrs` below.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 10.0 { gamma::ln_gamma(x) } else { (x - 0.5) * x.ln() - x + LN_SQRT_2PI + stirling_correction(x) }
}

/// Gives the regularised incomplete beta `I_x(a, b)`; the caller brings `y = 1 - x` so that neither loses digits.
///
/// Continued fraction on the side where it converges fast, with the leading factor formed without differences of
/// large logarithms (Didonato & Morris 1992, TOMS 708).
pub fn beta_regularised(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let factor = beta_factor(a, b, x, y);
    if x < (a + 1.0) / (a + b + 2.0) {
        factor * beta_fraction(a, b, x, y)
    } else {
        1.0 - factor * beta_fraction(b, a, y, x)
    }
}

/// Gives the x with `I_x(a, b) = probability`.
pub fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    bisect(0.0, 1.0, |x| beta_regularised(a, b, x, 1.0 - x) < probability)
}

/// Finds where a monotone condition that holds at `low` stops to hold on the way to `high`, to adjacent floats.
pub fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    loop {
        let middle = low + 0.5 * (high - low);
        // Written so that ends which are no numbers stop the search too.
        if !(middle > low && middle < high) {
            return middle;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Gives `x^a y^b / B(a, b)`.
fn beta_factor(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let total = a + b;
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    if small >= 10.0 {
        let exponent = a * (x * total / a).ln() + b * (y * total / b).ln();
        let correction = stirling_correction(a) + stirling_correction(b) - stirling_correction(total);
        return (a * b / (2.0 * PI * total)).sqrt() * (exponent - correction).exp();
    }
    let ln_beta = if large >= 10.0 {
        ln_gamma(small) - (large - 0.5) * (small / large).ln_1p() - small * total.ln()
            + small
            + stirling_correction(large)
            - stirling_correction(total)
    } else {
        ln_gamma(a) + ln_gamma(b) - ln_gamma(total)
    };
    // The logarithm of the one nearer to 1 is taken from its complement.
    let (ln_x, ln_y) = if x > y { ((-y).ln_1p(), y.ln()) } else { (x.ln(), (-x).ln_1p()) };
    (a * ln_x + b * ln_y - ln_beta).exp()
}

/// Evaluates the continued fraction of the incomplete beta, which `x^a y^b / B(a, b)` multiplies.
///
/// The even part of the usual fraction in the form of Didonato & Morris (BFRAC), because that one needs `a y - b x`
/// and not the difference of two numbers near 1, which for a t of many degrees of freedom has few digits left.
fn beta_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let from_mean = 1.0 + a * y - b * x;
    let (c0, c1) = (b / a, 1.0 + 1.0 / a);
    let (mut p, mut s) = (1.0, a + 1.0);
    let (mut a_before, mut b_before, mut a_now, mut b_now) = (0.0, 1.0, 1.0, from_mean / c1);
    let mut value = c1 / from_mean;
    // The number of terms grows with the square root of the larger parameter.
    for term in 1..200_000_u32 {
        let n = f64::from(term);
        let t = n / a;
        let w = n * (b - n) * x;
        let e = a / s;
        let alpha = p * (p + c0) * e * e * w * x;
        let beta = n + w / s + (1.0 + t) / (c1 + t + t) * (from_mean + n * (y + 1.0));
        p = 1.0 + t;
        s += 2.0;
        (a_before, a_now) = (a_now, alpha * a_before + beta * a_now);
        (b_before, b_now) = (b_now, alpha * b_before + beta * b_now);
        let last = value;
        value = a_now / b_now;
        if (value - last).abs() <= 1e-15 * value {
            break;
        }
        a_before /= b_now;
        b_before /= b_now;
        a_now = value;
        b_now = 1.0;
    }
    value
}

/// Gives `ln Γ(x)` minus Stirling's leading terms, for `x >= 10`.
fn stirling_correction(x: f64) -> f64 {
    let w = 1.0 / (x * x);
    (1.0 / 12.0
        - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w * (1.0 / 1188.0 - w * 691.0 / 360_360.0)))))
        / x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-13 * want.abs(), "got {got:e}, want {want:e}");
    }

    #[test]
    fn quantiles_agree_with_closed_forms_and_tables() {
        close(normal_upper_quantile(0.025).unwrap(), 1.959_963_984_540_054);
        close(normal_upper_quantile(1e-10).unwrap(), 6.361_340_902_404_056);
        close(t_upper_quantile(0.025, 1.0).unwrap(), 12.706_204_736_174_7);
        close(t_upper_quantile(0.025, 15.0).unwrap(), 2.131_449_545_559_776);
    }

    #[test]
    fn the_error_function_agrees_with_the_c_library() {
        close(erfc(0.5), 0.479_500_122_186_953_5);
        close(erfc(1.499), 0.034_013_962_348_143_31);
        close(erfc(1.501), 0.033_776_101_492_192_1);
        close(erfc(2.25), 0.001_462_716_586_681_151_8);
        close(erfc(-3.0), 1.999_977_909_503_001_5);
        close(erfc(26.0), 5.663_192_408_856_143e-296);
    }

    #[test]
    fn tails_far_out_keep_their_digits() {
        close(normal_sf(20.0), 2.753_624_118_606_234e-89);
        close(t_sf(1e6, 1.0), 3.183_098_861_836_846_5e-7);
        close(chi2_sf(200.0, 2), 3.720_075_976_020_836e-44);
    }

    #[test]
    fn t_meets_the_normal_where_the_expansion_takes_over() {
        let below = t_sf(2.5, NEARLY_NORMAL_DF);
        let above = t_sf(2.5, NEARLY_NORMAL_DF * (1.0 + 1e-12));

        assert!((below - above).abs() < 1e-12 * below, "{below:e} {above:e}");
    }

    #[test]
    fn the_log_of_the_normal_is_continuous_where_its_series_takes_over() {
        assert!((ln_normal_cdf(-30.0) - ln_normal_cdf(-29.999_999_999)).abs() < 1e-7);
    }
}
