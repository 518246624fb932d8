// y = place within its plane of the largest sample of each window, the first of equals; samples
// outside the image take no part. Belongs to src/ops/resample/max_pool2d.rs.
// One invocation per window.
// uses: index, math

override WG: u32 = 64;

struct Params {
    len: u32, in_y: u32, in_x: u32, out_y: u32, out_x: u32,
    kernel_y: u32, stride_y: u32, padding_y: u32, kernel_x: u32, stride_x: u32, padding_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = index_item(id, grid, WG);
    if at >= params.len {
        return;
    }
    let base = at / (params.out_x * params.out_y) * (params.in_y * params.in_x);
    let start_y = at / params.out_x % params.out_y * params.stride_y;
    let start_x = at % params.out_x * params.stride_x;
    // In padded places, so that nothing is below 0.
    let end_y = min(start_y + params.kernel_y, params.in_y + params.padding_y);
    let end_x = min(start_x + params.kernel_x, params.in_x + params.padding_x);
    let first_x = max(start_x, params.padding_x);
    let first_y = max(start_y, params.padding_y);
    var best = (first_y - params.padding_y) * params.in_x + first_x - params.padding_x;
    var largest = x[base + best];
    for (var iy = first_y; iy < end_y; iy++) {
        for (var ix = first_x; ix < end_x; ix++) {
            let place = (iy - params.padding_y) * params.in_x + ix - params.padding_x;
            let value = x[base + place];
            if value > largest || math_is_nan(value) {
                best = place;
                largest = value;
            }
        }
    }
    y[at] = i32(best);
}
