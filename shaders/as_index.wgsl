// y = the whole number nearest to x, as an index. One invocation per element.
// uses: index

override WG: u32 = 64;

struct Params { len: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = index_item(id, grid, WG);
    if at < params.len {
        y[at] = i32(round(x[at]));
    }
}
