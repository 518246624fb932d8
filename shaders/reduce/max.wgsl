// y = largest of x over some axes; a NaN wins. An output's elements are cut into `parts` of `run`
// elements; item part * outputs + output is one invocation's loop (lanes = 1) or one workgroup's
// (lanes = WG). A second launch takes the largest of the parts. Every element is read once.
// uses: index, math, reduce, runs

override WG: u32 = 64;

struct Params {
    outputs: u32, parts: u32, run: u32, total: u32, lanes: u32,
    kept0: u32, kept1: u32, kept2: u32,
    kept_stride0: u32, kept_stride1: u32, kept_stride2: u32,
    size0: u32, size1: u32, size2: u32,
    stride0: u32, stride1: u32, stride2: u32,
}
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
    let item = select(index_item(id, grid, WG), index_group(wg, grid), is_wide);
    let lead = select(0u, lane, is_wide);
    let is_inside = item < params.outputs * params.parts;

    var largest = 0.0;
    if is_inside {
        let base = runs_base(item % params.outputs);
        let start = item / params.outputs * params.run;
        let end = min(start + params.run, params.total);
        let step = runs_digits(params.lanes);
        // A lane behind the end starts from an element of its part, which changes nothing.
        largest = x[base + runs_offset(runs_digits(start))];
        var at = runs_digits(start + lead);
        for (var k = start + lead; k < end; k += params.lanes) {
            largest = math_max(largest, x[base + runs_offset(at)]);
            at = runs_next(at, step);
        }
    }
    // Uniform: the same for the whole launch.
    if is_wide {
        largest = workgroup_max(lane, largest);
    }
    if is_inside && lead == 0u {
        y[item] = largest;
    }
}
