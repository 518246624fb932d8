// One part of a concatenation: rows of `width` elements of x go into rows of `pitch` elements of y,
// behind `start`. One invocation per element of x.
// uses: index

override WG: u32 = 256;

struct Params {
    len: u32, width: u32, width_magic: u32, width_shift: u32, pitch: u32, start: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let i = index_item(id, grid, WG);
    if i >= params.len {
        return;
    }
    let row = index_divide(i, params.width_magic, params.width_shift);
    y[row * params.pitch + params.start + i - row * params.width] = x[i];
}
