//! A time as `touch -t` takes it.

/// `CCYYMMDDhhmm.ss` in UTC; times outside the years 0 to 9999 become the nearest.
pub(super) fn stamp(seconds: i64) -> String {
    const FIRST: i64 = -62_167_219_200;
    const LAST: i64 = 253_402_300_799;
    let seconds = seconds.clamp(FIRST, LAST);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}.{second:02}")
}

/// The date of a day since 1970. It counts in years that begin in March, so that the day that some
/// years have more is the last of them.
fn date(days: i64) -> (i64, i64, i64) {
    // Since the first of March of the year 0.
    let days = days + 719_468;
    let (century4, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = century4 * 400 + year + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn times_are_written_as_touch_takes_them() {
        for (seconds, written) in [
            (0, "197001010000.00"),
            (-1, "196912312359.59"),
            (951_782_399, "200002282359.59"),
            (951_782_400, "200002290000.00"),
            (951_868_800, "200003010000.00"),
            (4_107_542_399, "210002282359.59"),
            (4_107_542_400, "210003010000.00"),
            (1_700_000_000, "202311142213.20"),
            (i64::MAX, "999912312359.59"),
            (i64::MIN, "000001010000.00"),
        ] {
            assert_eq!(stamp(seconds), written);
        }
    }
}
