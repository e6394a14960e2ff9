//! The shares of time that a Markov chain spends in its states.
//!
//! By the elimination of Grassmann, Taksar and Heyman ("Regenerative analysis and steady state distributions for Markov
//! chains", Operations Research 1985): it adds, multiplies and divides numbers that are not negative and subtracts none, so a
//! share of 10⁻³⁰ is as precise as one of a half.

/// The share of time in each state. `rates[from][to]` are transitions a second; what stands on the diagonal is not looked at.
///
/// From every state the first one must be reached sooner or later; a chain where it is not has no such shares, and the
/// answer then holds numbers that are not finite.
pub fn shares(mut rates: Vec<Vec<f64>>) -> Vec<f64> {
    let count = rates.len();
    for last in (1..count).rev() {
        let out: f64 = rates[last][..last].iter().sum();
        let (rest, row) = rates.split_at_mut(last);
        for from in rest.iter_mut().filter(|from| from[last] > 0.0) {
            from[last] /= out;
            let weight = from[last];
            for (to, rate) in from[..last].iter_mut().zip(&row[0][..last]) {
                *to += weight * rate;
            }
        }
    }
    let mut shares = vec![0.0; count];
    if let Some(first) = shares.first_mut() {
        *first = 1.0;
    }
    for state in 1..count {
        shares[state] = (0..state).map(|from| shares[from] * rates[from][state]).sum();
    }
    let whole: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= whole);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_as_precise_as_what_is_not() {
        // Up at 1, down at 10¹²: each state is a million millionth of the one before.
        let states = 4;
        let rate = |from: usize, to: usize| match to as i32 - from as i32 {
            1 => 1.0,
            -1 => 1e12,
            _ => 0.0,
        };
        let shares = shares((0..states).map(|from| (0..states).map(|to| rate(from, to)).collect()).collect());
        for (state, share) in shares.iter().enumerate() {
            let expected = 1e-12_f64.powi(state as i32);
            assert!((share / expected - 1.0).abs() < 1e-11, "{state}: {share:e}");
        }
    }
}
