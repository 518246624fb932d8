// y[a, o, b] = sum over the taps k of output o of weight[k] * x[a, source[k], b]: a sparse matrix
// along one axis, in compressed rows.
// One invocation per element of y. Neighbours share the taps, which come from the cache, and read
// neighbours of x, or nearly so along the last axis.
// uses: index

override WG: u32 = 64;

struct Params {
    len: u32, size_in: u32,
    size_out: u32, size_out_magic: u32, size_out_shift: u32,
    inner: u32, inner_magic: u32, inner_shift: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> start: array<i32>;
@group(0) @binding(3) var<storage, read> source: array<i32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = index_item(id, grid, WG);
    if at >= params.len {
        return;
    }
    let row = index_divide(at, params.inner_magic, params.inner_shift);
    let outer = index_divide(row, params.size_out_magic, params.size_out_shift);
    let o = row - outer * params.size_out;
    let base = outer * params.size_in * params.inner + (at - row * params.inner);
    let end = start[o + 1u];
    var sum = 0.0;
    for (var k = start[o]; k < end; k++) {
        sum += weight[k] * x[base + u32(source[k]) * params.inner];
    }
    y[at] = sum;
}
