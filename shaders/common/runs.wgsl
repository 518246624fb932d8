// Walks the elements behind one output of a reduction. The kernel's `params` has three kept axes
// (kept0 to kept2, kept_stride0 ...) and three reduced ones (size0 to size2, stride0 ...), outermost
// first, missing ones of size 1. A place among the reduced elements is three digits, moved on by
// addition with carry: a division per element would cost more than its load.

// Where an output's elements start.
fn runs_base(output: u32) -> u32 {
    let i2 = output % params.kept2;
    let rest = output / params.kept2;
    let i1 = rest % params.kept1;
    let i0 = rest / params.kept1;
    return i0 * params.kept_stride0 + i1 * params.kept_stride1 + i2 * params.kept_stride2;
}

fn runs_digits(k: u32) -> vec3<u32> {
    let rest = k / params.size2;
    return vec3<u32>(rest / params.size1, rest % params.size1, k % params.size2);
}

fn runs_next(at: vec3<u32>, step: vec3<u32>) -> vec3<u32> {
    var next = at + step;
    let is_over2 = next.z >= params.size2;
    next.z -= select(0u, params.size2, is_over2);
    next.y += select(0u, 1u, is_over2);
    let is_over1 = next.y >= params.size1;
    next.y -= select(0u, params.size1, is_over1);
    next.x += select(0u, 1u, is_over1);
    return next;
}

fn runs_offset(at: vec3<u32>) -> u32 {
    return at.x * params.stride0 + at.y * params.stride1 + at.z * params.stride2;
}
