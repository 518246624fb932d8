// y = e^(factor (x - max x)) / its sum, along one axis. A line of that axis, `inner` apart, is one
// invocation's (lanes = 1) or one workgroup's (lanes = WG). Each line is read three times, the last
// two from a cache: lines are short, and sums that come before the maximum would overflow.
// uses: index, math, reduce

override WG: u32 = 64;

struct Params { lines: u32, axis: u32, inner: u32, lanes: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let is_wide = params.lanes > 1u;
    let line = select(index_item(id, grid, WG), index_group(wg, grid), is_wide);
    let lead = select(0u, lane, is_wide);
    // What lies beyond the last line has no elements.
    let end = select(0u, params.axis, line < params.lines);
    let base = line / params.inner * params.inner * params.axis + line % params.inner;

    // A lane without elements starts from one of its line, which changes nothing.
    var most = x[select(0u, base, end > 0u)];
    for (var k = lead; k < end; k += params.lanes) {
        most = math_max(most, x[base + k * params.inner]);
    }
    // Uniform: the same for the whole launch.
    if is_wide {
        most = workgroup_max(lane, most);
    }
    var sum = 0.0;
    for (var k = lead; k < end; k += params.lanes) {
        sum += math_exp(params.factor * (x[base + k * params.inner] - most));
    }
    if is_wide {
        sum = workgroup_sum(lane, sum);
    }
    for (var k = lead; k < end; k += params.lanes) {
        let at = base + k * params.inner;
        y[at] = math_exp(params.factor * (x[at] - most)) / sum;
    }
}
