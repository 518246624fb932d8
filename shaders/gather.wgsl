// y[o, k, i] = x[o, index, i] with index[o, k, i], or index[k] where one list serves all positions;
// 0 where the index lies outside the axis.
// One invocation per element of y: reads one index and one value, writes one value.

override WG: u32 = 256;

struct Params { len: u32, size: u32, picked: u32, inner: u32, shared_index: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = id.x + id.y * grid.x * WG;
    if at >= params.len {
        return;
    }
    let outer = at / (params.picked * params.inner);
    let k = at / params.inner % params.picked;
    let source = index[select(at, k, params.shared_index == 1u)];
    if source < 0 || source >= i32(params.size) {
        y[at] = 0.0;
        return;
    }
    y[at] = x[(outer * params.size + u32(source)) * params.inner + at % params.inner];
}
