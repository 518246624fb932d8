// y[o, t, i] = sum of x[o, k, i] over the k whose index is t: the transpose of gather, beside which
// it stands in src/ops/gather.rs. One invocation per element of y reads its whole column of
// indices: WGSL has no float atomics, and so the order of the additions is fixed.

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
    let place = i32(at / params.inner % params.picked);
    var sum = 0.0;
    for (var k = 0u; k < params.size; k++) {
        let source = (outer * params.size + k) * params.inner + at % params.inner;
        if index[select(source, k, params.shared_index == 1u)] == place {
            sum += x[source];
        }
    }
    y[at] = sum;
}
