// y = factor * sum of x over some axes, or of x z where PRODUCT is 1. An output's elements are cut
// into `parts` of `run` elements; item part * outputs + output is one invocation's loop (lanes = 1)
// or one workgroup's (lanes = WG, neighbours read neighbours). Partial sums of long runs are summed
// by a second launch, so that no loop is long: that keeps f32 accurate and the device full. Every
// element is read once.
// uses: index, runs, reduce

override WG: u32 = 64;
override PRODUCT: u32 = 0;

struct Params {
    outputs: u32, parts: u32, run: u32, total: u32, lanes: u32,
    kept0: u32, kept1: u32, kept2: u32,
    kept_stride0: u32, kept_stride1: u32, kept_stride2: u32,
    size0: u32, size1: u32, size2: u32,
    stride0: u32, stride1: u32, stride2: u32,
    factor: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn value(at: u32) -> f32 {
    if PRODUCT == 1u {
        return x[at] * z[at];
    }
    return x[at];
}

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

    var sum = 0.0;
    if is_inside {
        let base = runs_base(item % params.outputs);
        let start = item / params.outputs * params.run;
        let end = min(start + params.run, params.total);
        let step = runs_digits(params.lanes);
        var at = runs_digits(start + lead);
        var k = start + lead;
        for (; k + 3u * params.lanes < end; k += 4u * params.lanes) {
            let at1 = runs_next(at, step);
            let at2 = runs_next(at1, step);
            let at3 = runs_next(at2, step);
            sum += (value(base + runs_offset(at)) + value(base + runs_offset(at1)))
                + (value(base + runs_offset(at2)) + value(base + runs_offset(at3)));
            at = runs_next(at3, step);
        }
        for (; k < end; k += params.lanes) {
            sum += value(base + runs_offset(at));
            at = runs_next(at, step);
        }
    }
    // Uniform: the same for the whole launch.
    if is_wide {
        sum = workgroup_sum(lane, sum);
    }
    if is_inside && lead == 0u {
        y[item] = params.factor * sum;
    }
}
