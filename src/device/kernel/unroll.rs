//! All that the loader changes in a text: a loop below a line `// unroll` becomes its rounds, for
//! WGSL wants the lane of a `subgroupBroadcast` as a literal, and drivers keep in registers only
//! what no variable indexes. Where a text depends on the size of subgroups, the line
//! `const SUBGROUP: u32 = 8u;` gets the device's.
//!
//! A marked loop has the form `for (var i = 0u; i < BOUND; i++) {`, with a bound of literals, names
//! of constants and `/`. In each round, a scope of its own, `i` is the round's number.

/// The number of a line, and what is wrong there.
pub(super) type Malformed = (usize, &'static str);

const MARK: &str = "// unroll";
const SIZE: &str = "const SUBGROUP: u32 = ";

/// A line with its number in the file.
type Line = (usize, String);

/// A text with its marked loops written out, for subgroups of this size if it depends on one.
pub(super) fn expand(source: &str, subgroup: Option<u32>) -> Result<String, Malformed> {
    let sized = |line: &str| match subgroup {
        Some(size) if line.starts_with(SIZE) => format!("{SIZE}{size}u;"),
        _ => line.to_string(),
    };
    let lines: Vec<Line> = (1..).zip(source.lines().map(sized)).collect();
    let sizes = lines.iter().filter(|(_, line)| line.starts_with(SIZE)).count();
    if sizes != usize::from(subgroup.is_some()) {
        return Err((1, "a kernel for subgroups has one line `const SUBGROUP: u32 = 8u;`"));
    }
    let mut text = String::new();
    write(&lines, &lines, &mut text)?;
    Ok(text)
}

/// Appends a part of a file to the text.
fn write(file: &[Line], mut part: &[Line], text: &mut String) -> Result<(), Malformed> {
    while let [(number, line), rest @ ..] = part {
        part = rest;
        if line.trim() != MARK {
            *text += &format!("{line}\n");
            continue;
        }
        let wrong = |rule| (*number + 1, rule);
        let (name, bound) = rest.first().and_then(|(_, head)| parse(head)).ok_or_else(|| {
            wrong("a marked loop starts with `for (var i = 0u; i < BOUND; i++) {`")
        })?;
        let bound = value(file, bound).ok_or(wrong("a marked loop's bound is no constant"))?;
        let mut depth = 1_isize;
        let closes = |(_, line): &Line| {
            depth += line.matches('{').count().cast_signed();
            depth -= line.matches('}').count().cast_signed();
            depth == 0
        };
        let length = rest[1..].iter().position(closes);
        let length = length.ok_or(wrong("a marked loop has no end"))?;
        let (body, behind) = rest[1..].split_at(length);
        for round in 0..bound {
            let numbered = |(k, line): &Line| (*k, replace(line, name, &format!("{round}u")));
            *text += "{\n";
            write(file, &body.iter().map(numbered).collect::<Vec<_>>(), text)?;
            *text += "}\n";
        }
        part = &behind[1..];
    }
    Ok(())
}

/// Name and bound of a loop.
fn parse(head: &str) -> Option<(&str, &str)> {
    let name = head.trim().strip_prefix("for (var ")?.split_once(' ')?.0;
    let bound = head.split_once(" < ")?.1.split_once(';')?.0;
    let wanted = format!("for (var {name} = 0u; {name} < {bound}; {name}++) {{");
    (head.trim() == wanted).then_some((name, bound))
}

/// The value of a bound.
fn value(file: &[Line], bound: &str) -> Option<u32> {
    if let Some((over, under)) = bound.rsplit_once(" / ") {
        return value(file, over)?.checked_div(value(file, under)?);
    }
    let constant = format!("const {bound}: u32 = ");
    let declared = file.iter().find_map(|(_, line)| line.strip_prefix(&constant));
    declared.map_or(bound, |value| value.trim_end_matches(';')).strip_suffix('u')?.parse().ok()
}

/// A line with a name replaced wherever it is a whole word and no member.
fn replace(line: &str, name: &str, literal: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut out, mut end) = (String::new(), 0);
    for (start, _) in line.match_indices(name) {
        let (before, after) = (&line[..start], &line[start + name.len()..]);
        if !before.ends_with(|c| is_word(c) || c == '.') && !after.starts_with(is_word) {
            out = out + &line[end..start] + literal;
            end = start + name.len();
        }
    }
    out + &line[end..]
}

#[cfg(test)]
mod tests {
    use super::expand;

    /// The lines of an expanded text, without its first, which is the size.
    fn lines(body: &str) -> Result<Vec<String>, super::Malformed> {
        let text = expand(&format!("const SUBGROUP: u32 = 8u;\n{body}"), Some(2))?;
        Ok(text.lines().skip(1).map(|line| line.trim().to_string()).collect())
    }

    #[test]
    fn nested_loops_are_written_out_with_their_numbers() {
        let text = "const ROWS: u32 = 4u;
            // unroll
            for (var i = 0u; i < ROWS / SUBGROUP; i++) {
                let ii = x.i + i;
                // unroll
                for (var k = 0u; k < 2u; k++) {
                    sums[i + k] = broadcast(ii, k);
                }
            }
            for (var i = 0u; i < 3u; i++) {}";
        let round = |i: u32| {
            let inner = |k: u32| format!("{{|sums[{i}u + {k}u] = broadcast(ii, {k}u);|}}|");
            format!("{{|let ii = x.i + {i}u;|{}{}}}|", inner(0), inner(1))
        };
        let rest = "for (var i = 0u; i < 3u; i++) {}";
        let want = format!("const ROWS: u32 = 4u;|{}{}{rest}", round(0), round(1));
        assert_eq!(lines(text).expect("well-formed").join("|"), want);
    }

    #[test]
    fn the_size_is_set_where_it_stands_once() {
        assert_eq!(
            expand("const SUBGROUP: u32 = 8u;\n", Some(4)),
            Ok("const SUBGROUP: u32 = 4u;\n".into())
        );
        assert!(expand("", Some(4)).is_err());
        assert!(expand(&"const SUBGROUP: u32 = 8u;\n".repeat(2), Some(4)).is_err());
    }

    #[test]
    fn a_malformed_loop_is_named_by_its_line() {
        let refused = |body: &str| lines(body).expect_err("malformed");
        assert_eq!(refused("\n// unroll\nlet x = 1;").0, 4);
        assert_eq!(refused("// unroll\nfor (var i = 1u; i < 3u; i++) {\n}").0, 3);
        assert_eq!(
            refused("// unroll\nfor (var i = 0u; i < n; i++) {\n}").1,
            "a marked loop's bound is no constant"
        );
        assert_eq!(
            refused("// unroll\nfor (var i = 0u; i < 2u; i++) {").1,
            "a marked loop has no end"
        );
        let inner = "// unroll\nfor (var i = 0u; i < 2u; i++) {\n// unroll\nfor (;;) {\n}\n}";
        assert_eq!(refused(inner).0, 5);
        assert_eq!(refused("// unroll").0, 3);
    }
}
