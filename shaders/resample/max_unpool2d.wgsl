// y[plane, i] = sum of x[plane, window] over the windows whose index is i: the transpose of picking
// each window's largest sample. Belongs to src/ops/resample/max_pool2d.rs.
// One invocation per sample looks at the few windows that cover it, so that the order of the
// additions is fixed.
// uses: index

override WG: u32 = 64;

struct Params {
    len: u32, in_y: u32, in_x: u32, out_y: u32, out_x: u32,
    kernel_y: u32, stride_y: u32, padding_y: u32, kernel_x: u32, stride_x: u32, padding_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The first window that covers a place, counted with the padding.
fn first_window(place: u32, width: u32, stride: u32) -> u32 {
    return (max(place + 1u, width) - width + stride - 1u) / stride;
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = index_item(id, grid, WG);
    if at >= params.len {
        return;
    }
    let plane = at / (params.in_x * params.in_y);
    let place = at % (params.in_x * params.in_y);
    let iy = place / params.in_x + params.padding_y;
    let ix = place % params.in_x + params.padding_x;
    let end_y = min(iy / params.stride_y + 1u, params.out_y);
    let end_x = min(ix / params.stride_x + 1u, params.out_x);
    let first_x = first_window(ix, params.kernel_x, params.stride_x);
    var sum = 0.0;
    for (var wy = first_window(iy, params.kernel_y, params.stride_y); wy < end_y; wy++) {
        for (var wx = first_x; wx < end_x; wx++) {
            let window = (plane * params.out_y + wy) * params.out_x + wx;
            if index[window] == i32(place) {
                sum += x[window];
            }
        }
    }
    y[at] = sum;
}
