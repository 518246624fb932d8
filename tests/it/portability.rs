//! What no driver objects to and what still goes wrong on some: barriers that not all invocations
//! reach, races for workgroup memory, reads of what nobody wrote. Every kernel is free of them, and
//! `kernel::check` sees each of them in a kernel that is not.

use semgan::device::{Kernel, kernel};

use crate::kernel_texts::{all, hand_written};

const BARRIER: &str = "workgroupBarrier();";

#[test]
fn every_kernel_passes_the_checks() {
    for (k, overrides) in all() {
        kernel::check(&k, &overrides).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Barriers of a kernel's composed text, in functions that something calls.
fn barriers(text: &str) -> Vec<usize> {
    let is_called = |at: &usize| {
        let start = text[..*at].rfind("\nfn ").expect("inside a function") + 4;
        let name = text[start..].split('(').next().expect("a name");
        name == "main" || text.matches(&format!("{name}(")).count() > 1
    };
    text.match_indices(BARRIER).map(|(at, _)| at).filter(is_called).collect()
}

/// The checks' answer when the barrier at `at` becomes something else.
fn answer(k: &Kernel, text: &str, at: usize, replacement: &str) -> Option<String> {
    let changed = format!("{}{replacement}{}", &text[..at], &text[at + BARRIER.len()..]);
    let own = if at < k.source.len() {
        k.source.len() + replacement.len() - BARRIER.len()
    } else {
        k.source.len()
    };
    let source = changed[..own].to_string().into();
    let broken = Kernel { name: k.name.clone(), source, subgroup: k.subgroup };
    kernel::check_composed(&broken, changed, &[]).err().map(|e| e.to_string())
}

#[test]
fn no_barrier_can_be_left_out() {
    let mut tried = 0;
    for k in hand_written() {
        let text = kernel::compose(&k).unwrap_or_else(|e| panic!("{e}"));
        for at in barriers(&text) {
            let line = text[..at].matches('\n').count() + 1;
            let answer = answer(&k, &text, at, &" ".repeat(BARRIER.len()));
            let answer = answer.unwrap_or_else(|| panic!("{}: line {line} is not missed", k.name));
            assert!(answer.contains("no barrier parts"), "{answer}");
            tried += 1;
        }
    }
    // Both trees of common/reduce.wgsl have three.
    assert!(tried > 6, "{tried} barriers");
}

#[test]
fn no_barrier_can_be_skipped_by_some() {
    for k in hand_written() {
        let text = kernel::compose(&k).unwrap_or_else(|e| panic!("{e}"));
        for at in barriers(&text) {
            let some = format!("if lane < 3u {{ {BARRIER} }}");
            let answer = answer(&k, &text, at, &some);
            let answer = answer.unwrap_or_else(|| panic!("{}: accepted", k.name));
            assert!(answer.contains("they part"), "{answer}");
        }
    }
}

/// A kernel of 64 invocations around some functions and the body of `main`.
fn small(items: &str, body: &str) -> Kernel {
    let text = format!(
        "struct Params {{ n: u32 }}
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        var<workgroup> tile: array<f32, 256>;
        var<workgroup> quads: array<vec4<f32>, 64>;
        var<workgroup> square: array<array<f32, 8>, 8>;
        var<workgroup> count: atomic<u32>;
        var<workgroup> limit: u32;
        {items}
        @compute @workgroup_size(8, 8)
        fn main(
            @builtin(local_invocation_index) lane: u32,
            @builtin(local_invocation_id) local: vec3<u32>,
            @builtin(workgroup_id) wg: vec3<u32>,
        ) {{
            {body}
        }}
        "
    );
    Kernel::new("small", text)
}

#[track_caller]
fn accepted(items: &str, body: &str) {
    kernel::check(&small(items, body), &[]).unwrap_or_else(|e| panic!("{body}\n{e}"));
}

/// Refused for `rule`, at the line that ends with `// bad`.
#[track_caller]
fn refused(items: &str, body: &str, rule: &str) {
    let k = small(items, body);
    let Err(error) = kernel::check(&k, &[]) else { panic!("accepted: {items}\n{body}") };
    let line = k.source.lines().position(|l| l.ends_with("// bad")).expect("marked") + 1;
    let message = error.to_string();
    assert!(message.contains(&format!("small.wgsl:{line}: ")), "line {line}: {message}");
    assert!(message.contains(rule), "{rule}: {message}");
}

/// A body with `STEP` replaced: refused with the first, accepted with the second.
#[track_caller]
fn only(items: &str, body: &str, bad: &str, good: &str, rule: &str) {
    let with = |part: &str| (items.replace("STEP", part), body.replace("STEP", part));
    let (items, text) = with(bad);
    refused(&items, &text, rule);
    let (items, text) = with(good);
    accepted(&items, &text);
}

#[test]
fn a_barrier_needs_conditions_that_all_share() {
    let only = |items: &str, body: &str, bad: &str, good: &str| {
        only(items, body, bad, good, "a barrier needs every");
    };
    for (bad, good) in [
        ("lane < 3u", "params.n < 3u"),
        ("x[lane] > 0.0", "x[wg.x + params.n] > 0.0"),
        ("y[0] > 0.0", "x[0] > 0.0"),
        ("local.x + wg.x == 1u", "wg.y + wg.x == 1u"),
        ("limit == 0u", "workgroupUniformLoad(&limit) == 0u"),
    ] {
        let fill = "if lane == 0u { limit = params.n; }\nworkgroupBarrier();\n";
        let inside = format!("{fill} if STEP {{\nworkgroupBarrier(); // bad\n}}");
        only("", &inside, bad, good);
        let behind = format!("{fill} if STEP {{ return; }}\nworkgroupBarrier(); // bad\n");
        only("", &behind, bad, good);
    }
    let switch = "switch STEP {\ncase 1u: {\nworkgroupBarrier(); // bad\n}\ndefault: {}\n}";
    only("", switch, "lane", "params.n");
}

#[test]
fn a_barrier_needs_loops_that_all_leave_together() {
    let only = |body: &str, bad: &str, good: &str| {
        only("", body, bad, good, "a barrier needs every");
    };
    let bounds = "for (var k = STEP; k < params.n; k++) {\nworkgroupBarrier(); // bad\n}";
    only(bounds, "lane", "wg.x");
    let behind = "for (var k = 0u; k < 4u; k++) {
            if STEP { break; }
            workgroupBarrier(); // bad\n}";
    only(behind, "x[lane + k] > 0.0", "x[k] > 0.0");
    let before = "for (var k = 0u; k < params.n; k++) {
            workgroupBarrier(); // bad
            if STEP { break; }\n}";
    only(before, "lane == k", "wg.x == k");
    let skipped = "for (var k = 0u; k < params.n; k++) {
            if STEP { continue; }
            workgroupBarrier(); // bad\n}";
    only(skipped, "lane == k", "wg.x == k");
    let last = "loop {\nworkgroupBarrier(); // bad\ncontinuing { break if STEP; }\n}";
    only(last, "lane == 3u", "x[wg.x] > 3.0");
    // Behind the loop all are together again.
    accepted("", "for (var k = lane; k < params.n; k++) { y[k] = 0.0; }\nworkgroupBarrier();");
    let returned = "for (var k = 0u; k < 4u; k++) { if STEP { return; } }
            workgroupBarrier(); // bad\n";
    only(returned, "lane == k", "params.n == k");
}

#[test]
fn a_barrier_is_followed_through_calls_and_variables() {
    let only = |items: &str, body: &str, bad: &str, good: &str| {
        only(items, body, bad, good, "a barrier needs every");
    };
    let sync = "fn sync() {\nworkgroupBarrier(); // bad\n}";
    only(sync, "if STEP { sync(); }", "lane < 3u", "params.n < 3u");
    let sync = "fn sync(n: u32) {\nif n > 3u {\nworkgroupBarrier(); // bad\n}\n}";
    only(sync, "sync(params.n); sync(STEP);", "lane", "wg.x");
    let pick = "fn pick(n: u32) -> u32 { if n < 3u { return 1u; } return 2u; }";
    let body = "if pick(STEP) == 1u {\nworkgroupBarrier(); // bad\n}";
    only(pick, body, "lane", "params.n");
    let late = "var u = 0u; if STEP { u = 1u; }
            if u == 0u {\nworkgroupBarrier(); // bad\n}";
    only("", late, "lane < 3u", "params.n < 3u");
    let pointer = "fn change(u: ptr<function, u32>, to: u32) { *u = to; }";
    let body = "var u = 0u; change(&u, lane); if u == 0u {\nworkgroupBarrier(); // bad\n}";
    refused(pointer, body, "a barrier needs every");
}

#[test]
fn a_subgroup_operation_needs_all_invocations() {
    let only = |body: &str, bad: &str, good: &str| {
        only("", body, bad, good, "a subgroup operation needs every");
    };
    let body = "if STEP {\ny[lane] = subgroupAdd(x[lane]); // bad\n}";
    only(body, "lane < 3u", "params.n < 3u");
    let body = "if STEP { return; }\ny[lane] = subgroupBroadcast(x[lane], 3u); // bad\n";
    only(body, "lane < params.n", "wg.x < params.n");
    let body = "let sum = subgroupAdd(x[0]);\nif sum > 0.0 {\nworkgroupBarrier(); // bad\n}";
    refused("", body, "a barrier needs every");
}

const RACE: &str = "no barrier parts this access";

#[test]
fn a_write_and_another_invocations_access_need_a_barrier_between() {
    let only = |body: &str, bad: &str, good: &str| only("", body, bad, good, RACE);
    let neighbour = "tile[lane] = x[lane];
            STEP
            y[lane] = tile[63u - lane]; // bad\n";
    only(neighbour, "", BARRIER);
    // Which orders storage buffers alone.
    only(neighbour, "storageBarrier();", BARRIER);
    only(neighbour, "if x[0] > 0.0 { workgroupBarrier(); }", BARRIER);
    only(neighbour, "for (var k = 0u; k < params.n; k++) { workgroupBarrier(); }", BARRIER);
    let own = "tile[lane] = x[lane];\ny[lane] = tile[STEP]; // bad\n";
    only(own, "lane / 2u", "lane");
    only(own, "params.n", "local.x + 8u * local.y");
    let all = "if STEP {\ntile[0] = x[lane]; // bad\n}";
    only(all, "lane < 2u", "lane < 1u");
    let parted = "if STEP { tile[lane] = 1.0; } else {\ntile[63u - lane] = 2.0; // bad\n}";
    only(parted, "x[lane] > 0.0", "params.n == 1u");
    let tree = "tile[lane] = x[lane];
            tile[lane + 64u] = 0.0;
            for (var width = 32u; width > 0u; width /= 2u) {
                workgroupBarrier();
                if STEP {
                    tile[lane] += tile[lane + width]; // bad
                }\n}";
    only(tree, "lane <= width", "lane < width");
}

#[test]
fn a_loops_rounds_do_not_race_with_each_other() {
    let only = |body: &str, bad: &str, good: &str| only("", body, bad, good, RACE);
    let staged = "var sum = 0.0;
            for (var c = 0u; c < params.n; c++) {
                tile[lane] = x[c * 64u + lane]; // bad
                workgroupBarrier();
                sum += tile[63u - lane];
                STEP
            }
            y[lane] = sum;";
    only(staged, "", BARRIER);
    let halves = "var sum = 0.0;
            for (var c = 0u; c < params.n; c++) {
                let half = STEP;
                tile[half + lane] = x[c * 64u + lane]; // bad
                workgroupBarrier();
                for (var k = 0u; k < params.n; k++) { sum += tile[half + (lane + k) % 64u]; }
            }
            y[lane] = sum;";
    only(halves, "(c & 1u) * 32u", "(c & 1u) * 64u");
    only(halves, "(c / 2u & 1u) * 64u", "c % 3u * 64u");
    let flipped = "var sum = 0.0;
            var half = 0u;
            loop {
                if sum > 1.0 { break; }
                tile[half * 64u + lane] = x[lane];
                workgroupBarrier();
                sum = f32(params.n);
                y[lane] = tile[half * 64u + 63u - lane];
                half = 1u - half;
            }
            STEP
            tile[lane] = sum; // bad\n";
    only(flipped, "", BARRIER);
}

#[test]
fn several_elements_of_one_invocation_are_its_own() {
    let only = |body: &str, bad: &str, good: &str| only("", body, bad, good, RACE);
    let strided = "for (var k = 0u; k < 4u; k++) {
                tile[lane + k * STEP] = x[k]; // bad
            }
            workgroupBarrier();
            y[lane] = tile[params.n];";
    only(strided, "32u", "64u");
    let blocked = "for (var k = 0u; k < 4u; k++) {
                tile[lane * STEP + k] = x[k]; // bad\n}";
    only(blocked, "3u", "4u");
    let strided = "for (var i = lane; i < 256u; i += STEP) {
                tile[i] = x[i]; // bad\n}";
    only(strided, "32u", "64u");
    let rows = "let row = lane / 8u;
            let col = lane % 8u;
            for (var k = 0u; k < 2u; k++) {
                if row * 16u + col < params.n {
                    tile[row * STEP + k * 8u + col] = x[k]; // bad
                } else {
                    tile[row * STEP + k * 8u + col] = 0.0;
                }
            }
            workgroupBarrier();
            for (var k = 0u; k < 16u; k++) { y[lane] += tile[col * 16u + k]; }";
    only(rows, "12u", "16u");
    let nested = "square[STEP][local.x] = x[lane]; // bad\n";
    only(nested, "local.x", "local.y");
    let unknown = "tile[STEP] = x[lane]; // bad\n";
    only_unknown(unknown, "u32(x[lane])", "min(lane, 63u)");
    only_unknown(unknown, "lane + params.n", "select(lane, 63u - lane, lane > 80u)");
}

#[track_caller]
fn only_unknown(body: &str, bad: &str, good: &str) {
    only("", body, bad, good, "does not follow from constants and lane");
}

#[test]
fn one_flag_is_the_same_in_every_round() {
    let turned = "let row = lane / 8u;
            let col = lane % 8u;
            for (var k = 0u; k < 4u; k++) {
                if params.n == STEP {
                    tile[k * 64u + row * 8u + col] = x[lane]; // bad
                } else {
                    tile[lane * 4u + k] = x[lane];
                }
            }
            workgroupBarrier();
            y[lane] = tile[params.n];";
    only("", turned, "k", "1u", RACE);
    accepted("", "tile[select(lane, 63u - lane, params.n == 1u)] = 1.0;");
}

#[test]
fn a_vector_is_one_element() {
    let only = |body: &str, bad: &str, good: &str| only("", body, bad, good, RACE);
    only("quads[STEP][lane % 4u] = x[lane]; // bad\n", "lane / 4u", "lane");
    let body = "quads[lane] = vec4(x[lane]);
            STEP
            y[lane] = quads[63u - lane].y; // bad\n";
    only(body, "", BARRIER);
}

#[test]
fn races_are_followed_through_calls() {
    let stage = "fn stage(lane: u32, value: f32) -> f32 {
            tile[lane] = value; // bad
            workgroupBarrier();
            return tile[63u - lane];\n}";
    let body = "y[lane] = stage(lane, x[lane]);\nSTEP\ny[lane] += stage(lane, 2.0);";
    only(stage, body, "", BARRIER, RACE);
    let at = "fn at(k: u32) -> u32 { if k < 8u { return k; } return STEP; }";
    only(at, "tile[at(lane)] = 1.0; // bad\n", "9u", "k", RACE);
    let early = "fn early() { if params.n > 3u { return; }\nworkgroupBarrier();\n}";
    let body = "tile[lane] = x[lane]; early();\ny[lane] = tile[0]; // bad\n";
    refused(early, body, RACE);
}

#[test]
fn workgroup_memory_is_written_before_it_is_read() {
    let only = |body: &str, bad: &str, good: &str| {
        only("", body, bad, good, "is read before anything is written there");
    };
    let body = "STEP\nworkgroupBarrier();\ny[lane] = tile[63u - lane]; // bad\n";
    only(body, "", "tile[lane] = x[lane];");
    only(body, "if lane < 32u { tile[lane] = x[lane]; }", "tile[lane] = x[0];");
    let body = "STEP\nworkgroupBarrier();\natomicAdd(&count, 1u); // bad\n";
    only(body, "", "if lane == 0u { atomicStore(&count, 0u); }");
    let body = "STEP\nlet n = workgroupUniformLoad(&limit); // bad\n";
    only(body, "", "if lane == 0u { limit = 3u; }");
    // A loop of unknown length may write all of it.
    let fill = "for (var k = 0u; k < params.n; k++) { tile[k * 64u + lane] = 0.0; }";
    accepted("", &format!("{fill}\nworkgroupBarrier();\ny[lane] = tile[lane + 192u];"));
}
