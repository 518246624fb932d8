// y[plane, oy, ox] = sum over ty, tx of tap[ty, tx] * x[plane, iy, ix], with
// iy = (oy * down + ty - before) / up where that is whole and inside; tap is the kernel, rotated by
// 180 degrees unless `reversed`.
// One invocation makes the same element of four planes, `tiles` apart, so that they share the walk
// over the taps. It visits only those that meet a sample: every up-th, from the first that meets
// any. Planes beyond the last repeat it and are not written.
// uses: index, tile

override WG: u32 = 64;

struct Params {
    planes: u32, reversed: u32,
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

fn load_x(at: vec4<u32>) -> vec4<f32> {
    return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let area = params.out_y * params.out_x;
    let tiles = (params.planes + 3u) / 4u;
    let item = index_item(id, grid, WG);
    if item >= tiles * area {
        return;
    }
    let planes = item / area + tile_lanes() * tiles;
    let base = min(planes, vec4(params.planes - 1u)) * (params.in_y * params.in_x);
    let rest = item % area;
    let start_y = i32(rest / params.out_x * params.down_y) - params.before_y;
    let start_x = i32(rest % params.out_x * params.down_x) - params.before_x;
    let up_y = i32(params.up_y);
    let up_x = i32(params.up_x);
    let last = params.taps_y * params.taps_x - 1u;
    let first_x = first_tap(start_x, up_x);
    let first_ix = u32((start_x + first_x) / up_x);
    var ty = first_tap(start_y, up_y);
    var iy = u32((start_y + ty) / up_y);

    var sum = vec4(0.0);
    while ty < i32(params.taps_y) && iy < params.in_y {
        var tx = first_x;
        var ix = first_ix;
        while tx < i32(params.taps_x) && ix < params.in_x {
            let t = u32(ty) * params.taps_x + u32(tx);
            let tap = kernel[select(last - t, t, params.reversed != 0u)];
            sum += tap * load_x(base + (iy * params.in_x + ix));
            tx += up_x;
            ix++;
        }
        ty += up_y;
        iy++;
    }
    tile_store_row(sum, planes * area + rest, planes < vec4(params.planes));
}
