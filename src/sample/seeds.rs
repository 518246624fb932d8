//! The values of `--seeds`, `--group` and `--grid`.

use std::collections::BTreeSet;

use crate::{Error, Result};

/// Most pictures that one command makes.
const MAX_PICTURES: u64 = 1_000_000;

/// Reads a list of seeds and ranges, both ends included: `0-35,40,7`. The order is kept.
pub fn parse_seeds(list: &str) -> Result<Vec<u64>> {
    parse_list("--seeds", "seed", list)
}

/// Reads a list of groups as [`parse_seeds`] does; one that is named twice counts once.
pub fn parse_groups(list: &str) -> Result<Vec<usize>> {
    let groups = parse_list("--group", "group", list)?;
    let groups: BTreeSet<usize> = groups.into_iter().map(|k| k as usize).collect();
    Ok(groups.into_iter().collect())
}

/// Reads a list of `n` layers as [`parse_seeds`] does.
pub fn parse_layers(list: &str, n: usize) -> Result<Vec<usize>> {
    let layers = parse_list("--styles", "layer", list)?;
    match layers.iter().find(|&&k| k >= n as u64) {
        Some(k) => {
            Err(Error::config("--styles", format!("there is no layer {k}, only 0 to {}", n - 1)))
        }
        None => Ok(layers.into_iter().map(|k| k as usize).collect()),
    }
}

/// Ascending numbers as the lists above are written: `3,5-7`.
pub fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let text = runs.map(|run| match run {
        [only] => only.to_string(),
        _ => format!("{}-{}", run[0], run[run.len() - 1]),
    });
    text.collect::<Vec<_>>().join(",")
}

/// Reads a list of numbers as [`parse_seeds`] does, for a flag; a noun says what they count.
///
/// # Errors
/// Naming the flag.
pub fn parse_list(flag: &str, noun: &str, list: &str) -> Result<Vec<u64>> {
    let refuse = |reason: String| Error::config(flag, reason);
    let number = |text: &str| {
        text.trim().parse::<u64>().map_err(|_| {
            refuse(format!("{text:?} is no {noun}; give numbers and ranges such as 0-35,40"))
        })
    };
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(refuse(format!("{part} runs backwards; write {last}-{first}")));
        }
        if last - first >= MAX_PICTURES - numbers.len() as u64 {
            return Err(refuse(format!("{list} holds more than {MAX_PICTURES} {noun}s")));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

/// Reads a grid as columns x rows: `6x6`.
pub fn parse_grid(text: &str) -> Result<(usize, usize)> {
    let refuse = |reason| Error::config("--grid", format!("{text:?} {reason}"));
    let (columns, rows) = text
        .split_once(['x', 'X'])
        .and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)))
        .filter(|&(columns, rows): &(usize, usize)| columns > 0 && rows > 0)
        .ok_or_else(|| refuse("is no grid; give columns x rows, such as 6x4"))?;
    if columns.saturating_mul(rows) as u64 > MAX_PICTURES {
        return Err(refuse("has more than 1000000 cells"));
    }
    Ok((columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_keep_their_order() {
        assert_eq!(parse_seeds("3-5,40,7").unwrap(), [3, 4, 5, 40, 7]);
        assert_eq!(parse_seeds(" 1 , 2-2 ").unwrap(), [1, 2]);
        assert_eq!(parse_seeds("18446744073709551615").unwrap(), [u64::MAX]);
        assert_eq!(parse_seeds("0-999999").unwrap().len(), 1_000_000);
    }

    #[test]
    fn bad_seeds_say_what_is_wrong() {
        for (list, words) in [
            ("", "\"\" is no seed"),
            ("1,,2", "\"\" is no seed"),
            ("-5", "\"\" is no seed"),
            ("a", "\"a\" is no seed"),
            ("1-2-3", "\"2-3\" is no seed"),
            ("1.5", "\"1.5\" is no seed"),
            ("18446744073709551616", "is no seed"),
            ("9-3", "9-3 runs backwards; write 3-9"),
            ("0-1000000", "more than 1000000 seeds"),
            ("0-999999,5", "more than 1000000 seeds"),
            ("0-18446744073709551615", "more than 1000000 seeds"),
        ] {
            let error = parse_seeds(list).unwrap_err().to_string();
            assert!(error.starts_with("--seeds: ") && error.contains(words), "{list}: {error}");
        }
    }

    #[test]
    fn groups_are_named_once() {
        assert_eq!(parse_groups("5-6,3,5").unwrap(), [3, 5, 6]);
        assert_eq!(ranges(&[3, 5, 6, 7]), "3,5-7");
        assert_eq!(ranges(&[]), "");
        let error = parse_groups("x").unwrap_err().to_string();
        assert!(error.starts_with("--group: \"x\" is no group"), "{error}");
    }

    #[test]
    fn grids_are_columns_by_rows() {
        assert_eq!(parse_grid("6x4").unwrap(), (6, 4));
        assert_eq!(parse_grid("1X1").unwrap(), (1, 1));
        for text in ["", "6", "0x3", "3x0", "6x", "x", "-1x2", "2x2x2", "9999999x9999999"] {
            let error = parse_grid(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--grid: {text:?} ")), "{error}");
        }
    }
}
