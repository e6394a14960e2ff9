//! What audits leave to an account that cannot open what it "watched".

use chainflix_primitives::ProtocolParams;

/// The share of its plays that an account is paid for, when `bad` of them (0 to 1) cannot be opened and it plays `plays`
/// in a period: drawn and bad means void, and after the last strike nothing more is paid until the period ends.
pub fn paid_share(params: &ProtocolParams, bad: f64, plays: u32) -> f64 {
    let caught = bad * f64::from(params.audit.share_permille) / 1000.0;
    let strikes_max = usize::from(params.audit.strikes_max);
    // How likely the account has so many strikes before the next play; those that are struck out have left the list.
    let mut strikes = vec![0.0; strikes_max];
    strikes[0] = 1.0;
    let mut paid = 0.0;
    for _ in 0..plays {
        let alive: f64 = strikes.iter().sum();
        paid += alive * (1.0 - caught);
        for count in (0..strikes_max).rev() {
            let before = if count == 0 { 0.0 } else { strikes[count - 1] };
            strikes[count] = strikes[count] * (1.0 - caught) + before * caught;
        }
    }
    if plays == 0 { 1.0 } else { paid / f64::from(plays) }
}

/// Plays of which nothing can be opened that a provider serves before it is struck out, on average.
pub fn plays_per_provider(params: &ProtocolParams) -> f64 {
    f64::from(params.audit.provider_audits_min) * 1000.0 / f64::from(params.audit.share_permille.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_open_everything_loses_nothing() {
        let params = ProtocolParams::default();
        assert!((paid_share(&params, 0.0, 200) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn three_strikes_end_a_period() {
        let params = ProtocolParams::default();
        // Sixty plays until the third strike, on average; the longer the account goes on, the less it is paid for.
        let paid = [100, 1_000, 10_000].map(|plays| paid_share(&params, 1.0, plays) * f64::from(plays));
        assert!(paid[0] < paid[1] && paid[1] <= paid[2], "{paid:?}");
        assert!((paid[2] - 57.0).abs() < 0.1, "three strikes at one in twenty leave 57 paid plays: {paid:?}");
    }
}
