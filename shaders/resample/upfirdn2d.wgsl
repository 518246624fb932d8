// y[plane, oy, ox] = sum over ty, tx of tap[ty, tx] * x[plane, iy, ix], with
// iy = (oy * down + ty - before) / up where that is whole and inside; tap is the kernel, rotated by
// 180 degrees unless `reversed`.
// One invocation per output. It visits only the taps that meet a sample: every up-th, from the
// first one that meets any.
// uses: index

override WG: u32 = 64;

struct Params {
    len: u32, reversed: u32,
    up_y: u32, down_y: u32, before_y: i32, taps_y: u32, in_y: u32, out_y: u32,
    up_x: u32, down_x: u32, before_x: i32, taps_x: u32, in_x: u32, out_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The first tap t with (start + t) a multiple of `up` and not negative.
fn first_tap(start: i32, up: i32) -> i32 {
    return select((up - start % up) % up, -start, start < 0);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let i = index_item(id, grid, WG);
    if i >= params.len {
        return;
    }
    let plane = i / (params.out_y * params.out_x) * params.in_y * params.in_x;
    let oy = i / params.out_x % params.out_y;
    let ox = i % params.out_x;
    let start_y = i32(oy * params.down_y) - params.before_y;
    let start_x = i32(ox * params.down_x) - params.before_x;
    let up_y = i32(params.up_y);
    let up_x = i32(params.up_x);
    let last = params.taps_y * params.taps_x - 1u;

    var sum = 0.0;
    for (var ty = first_tap(start_y, up_y); ty < i32(params.taps_y); ty += up_y) {
        let iy = u32((start_y + ty) / up_y);
        if iy >= params.in_y {
            break;
        }
        for (var tx = first_tap(start_x, up_x); tx < i32(params.taps_x); tx += up_x) {
            let ix = u32((start_x + tx) / up_x);
            if ix >= params.in_x {
                break;
            }
            let t = u32(ty) * params.taps_x + u32(tx);
            let tap = kernel[select(last - t, t, params.reversed != 0u)];
            sum += tap * x[plane + iy * params.in_x + ix];
        }
    }
    y[i] = sum;
}
