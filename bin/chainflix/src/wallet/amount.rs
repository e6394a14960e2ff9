//! Coins as people write them: whole CFX and up to 18 digits after the point. All arithmetic is in integers.

use alloy_primitives::U256;

const DIGITS: usize = 18;
const WEI: u128 = 10u128.pow(DIGITS as u32);

/// Reads an amount, in wei.
pub fn read(text: &str) -> Result<u128, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.len() > DIGITS {
        return Err(format!("at most {DIGITS} digits after the point"));
    }
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse::<u128>().ok()).flatten().ok_or("not an amount like 12.5")
    };
    number(part)?;
    // At most eighteen digits are padded to exactly eighteen.
    let part = number(&format!("{part:0<DIGITS$}"))?;
    let whole = number(whole)?.checked_mul(WEI).and_then(|wei| wei.checked_add(part));
    match whole {
        Some(0) => Err("nothing to send".to_owned()),
        Some(wei) => Ok(wei),
        None => Err("more than there will ever be".to_owned()),
    }
}

/// Writes an amount without zeros at its end.
pub fn show(wei: U256) -> String {
    let (whole, part) = wei.div_rem(U256::from(WEI));
    let part = format!("{:0>DIGITS$}", part.to_string());
    match part.trim_end_matches('0') {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_wei() {
        assert_eq!(read("12.5"), Ok(12_500_000_000_000_000_000));
        assert_eq!(read("0.000000000000000001"), Ok(1));
        assert_eq!(read("6000000000"), Ok(6_000_000_000 * WEI));
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "0", "0.0", "1.0000000000000000001", "1,5", "٣"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(&"9".repeat(38)).is_err());
    }

    #[test]
    fn amounts_are_shown_as_they_are_written() {
        for text in ["12.5", "0.000000000000000001", "90", "6000000000"] {
            assert_eq!(show(U256::from(read(text).unwrap())), text);
        }
        assert_eq!(show(U256::ZERO), "0");
    }
}
