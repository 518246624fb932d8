// What the matrices of a convolution hold: elements of the kernel's image `x`, zero outside, each
// found by a place that an invocation keeps and a move that all its places share. One runs over
// positions and the other over taps; both may wrap below zero.

// Four places, with the index of each.
struct Patch { at: vec4<u32>, row: vec4<u32>, col: vec4<u32> }

struct PatchMove { at: u32, row: u32, col: u32 }

// A row that no move brings inside.
const PATCH_NOWHERE: u32 = 0x80000000u;

fn patch_load(p: Patch, by: PatchMove, size: vec2<u32>, is_wanted: bool) -> vec4<f32> {
    let is_near = (p.row + by.row < vec4(size.x)) & (p.col + by.col < vec4(size.y));
    let inside = is_near & vec4(is_wanted);
    let at = select(vec4(0u), p.at + by.at, inside);
    return select(vec4(0.0), vec4(x[at.x], x[at.y], x[at.z], x[at.w]), inside);
}

// A number as three digits, the last two below `size`, and the sum of two such: a division for
// each element would cost more than its load.
fn patch_digits(k: u32, size: vec2<u32>) -> vec3<u32> {
    let rest = k / size.y;
    return vec3(rest / size.x, rest % size.x, k % size.y);
}

fn patch_next(at: vec3<u32>, step: vec3<u32>, size: vec2<u32>) -> vec3<u32> {
    var next = at + step;
    let is_over = next.z >= size.y;
    next.z -= select(0u, size.y, is_over);
    next.y += select(0u, 1u, is_over);
    let is_above = next.y >= size.x;
    next.y -= select(0u, size.x, is_above);
    next.x += select(0u, 1u, is_above);
    return next;
}
