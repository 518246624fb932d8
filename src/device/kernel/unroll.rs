//! The one thing that the loader does to a text: a loop below a line `// unroll` becomes its rounds,
//! for WGSL wants the lane of a `subgroupBroadcast` as a literal, and the line
//! `const SUBGROUP: u32 = 8u;` gets the device's subgroup size.
//!
//! A marked loop has the form `for (var i = 0u; i < BOUND; i++) {`, with a bound of literals, `const`
//! names and `/`. In each round, a scope of its own, `i` is the round's number.

/// The number of a line, and what is wrong there.
pub(super) type Malformed = (usize, &'static str);

const MARK: &str = "// unroll";
const SIZE: &str = "const SUBGROUP: u32 = ";

/// A text with its marked loops written out, for subgroups of this size.
pub(super) fn expand(source: &str, subgroup: u32) -> Result<String, Malformed> {
    let sized = |line: &str| match line.starts_with(SIZE) {
        true => format!("{SIZE}{subgroup}u;"),
        false => line.to_string(),
    };
    let lines: Vec<_> = source.lines().map(sized).enumerate().map(|(k, l)| (k + 1, l)).collect();
    if lines.iter().filter(|(_, line)| line.starts_with(SIZE)).count() != 1 {
        return Err((1, "a kernel for subgroups has one line `const SUBGROUP: u32 = 8u;`"));
    }
    let mut text = String::new();
    write(&lines, &lines, &mut text)?;
    Ok(text)
}

fn write(
    all: &[(usize, String)],
    mut part: &[(usize, String)],
    out: &mut String,
) -> Result<(), Malformed> {
    while let [(number, line), rest @ ..] = part {
        part = rest;
        if line.trim() != MARK {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let form = (*number + 1, "a marked loop is `for (var i = 0u; i < BOUND; i++) {`");
        let (name, bound) = rest.first().and_then(|(_, head)| parse(head)).ok_or(form)?;
        let bound =
            value(all, bound).ok_or((*number + 1, "the bound of a marked loop is no constant"))?;
        let mut depth = 1i32;
        let is_end = |(_, line): &(usize, String)| {
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
            depth == 0
        };
        let length = rest[1..].iter().position(is_end);
        let length = length.ok_or((*number + 1, "a marked loop has no end"))?;
        for round in 0..bound {
            let literal = format!("{round}u");
            let body = rest[1..][..length].iter();
            let body: Vec<_> = body.map(|(k, line)| (*k, replace(line, name, &literal))).collect();
            out.push_str("{\n");
            write(all, &body, out)?;
            out.push_str("}\n");
        }
        part = &rest[length + 2..];
    }
    Ok(())
}

/// Name and bound of a loop.
fn parse(head: &str) -> Option<(&str, &str)> {
    let (name, rest) = head.trim().strip_prefix("for (var ")?.split_once(" = 0u; ")?;
    let rest = rest.strip_prefix(name)?.strip_prefix(" < ")?;
    Some((
        name,
        rest.strip_suffix(") {")?.strip_suffix("++")?.strip_suffix(name)?.strip_suffix("; ")?,
    ))
}

/// The value of a bound.
fn value(lines: &[(usize, String)], bound: &str) -> Option<u32> {
    if let Some((over, under)) = bound.rsplit_once(" / ") {
        return value(lines, over)?.checked_div(value(lines, under)?);
    }
    if let Some(literal) = bound.strip_suffix('u') {
        return literal.parse().ok();
    }
    let declared = |line: &str| {
        let line = line.strip_prefix("const ")?.strip_prefix(bound)?;
        value(lines, line.strip_prefix(": u32 = ")?.strip_suffix(';')?)
    };
    lines.iter().find_map(|(_, line)| declared(line))
}

/// A line with a name replaced wherever it is a whole word.
fn replace(line: &str, name: &str, literal: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let inside = before.ends_with(|c| is_word(c) || c == '.') || after.starts_with(is_word);
        out.push_str(before);
        out.push_str(if inside { name } else { literal });
        rest = after;
    }
    out + rest
}
