// y = index of the largest of x along one axis, the first of equals. One invocation per output, for
// the axis is a handful of classes.
// uses: index, runs

override WG: u32 = 64;

struct Params {
    outputs: u32, total: u32,
    kept0: u32, kept1: u32, kept2: u32,
    kept_stride0: u32, kept_stride1: u32, kept_stride2: u32,
    size0: u32, size1: u32, size2: u32,
    stride0: u32, stride1: u32, stride2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let output = index_item(id, grid, WG);
    if output >= params.outputs {
        return;
    }
    let base = runs_base(output);
    var best = 0u;
    var largest = x[base];
    var at = vec3<u32>();
    for (var k = 1u; k < params.total; k += 1u) {
        at = runs_next(at, vec3<u32>(0u, 0u, 1u));
        let value = x[base + runs_offset(at)];
        if value > largest {
            best = k;
            largest = value;
        }
    }
    y[output] = i32(best);
}
