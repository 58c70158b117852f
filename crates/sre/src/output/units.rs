//! Numbers as people read them.

/// A duration in milliseconds: `21 ms`, `1.50 s`, `2 min 5 s`.
#[must_use]
pub fn duration(ms: u64) -> String {
    match ms {
        0 => String::from("under 1 ms"),
        1..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A size: `812 bytes`, `1.3 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if count >> shift > 0 {
            let tenths = (u128::from(count) * 10) >> shift;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    plural(count, "byte")
}

/// A count with separators: `1,234,567`.
#[must_use]
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 check`, `8 checks`.
#[must_use]
pub fn plural(count: u64, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(number),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 999, 1_509, 125_000].map(duration),
            ["under 1 ms", "999 ms", "1.50 s", "2 min 5 s"]
        );
        assert_eq!(
            [1, 1023, 1024, 1_400_000].map(bytes),
            ["1 byte", "1,023 bytes", "1.0 KiB", "1.3 MiB"]
        );
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }
}
