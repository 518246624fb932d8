// y(o) = sum over i of hat(A o + t - i) x(i), or, transposed, y(i) = the same products summed over
// o. o and i are offsets (x, y) from the centres of the two images, where they are small and exact,
// and hat(v) = max(0, 1 - |v.x|) max(0, 1 - |v.y|).
// One invocation per element of y. A sample's row of `maps` has (A, t), then the map that takes an
// element's offset to the middle of those it meets, then how far these lie from there.
// uses: index

override WG: u32 = 64;

struct Params {
    len: u32, channels: u32, transposed: u32, from_y: u32, from_x: u32, to_y: u32, to_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> maps: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn mapped(row: u32, v: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(
        maps[row] * v.x + maps[row + 1u] * v.y + maps[row + 2u],
        maps[row + 3u] * v.x + maps[row + 4u] * v.y + maps[row + 5u],
    );
}

fn hat(v: vec2<f32>) -> f32 {
    let w = max(vec2<f32>(0.0), 1.0 - abs(v));
    return w.x * w.y;
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let at = index_item(id, grid, WG);
    if at >= params.len {
        return;
    }
    let from_size = vec2<f32>(f32(params.from_x), f32(params.from_y));
    let from_centre = (from_size - 1.0) * 0.5;
    let to_centre = (vec2<f32>(f32(params.to_x), f32(params.to_y)) - 1.0) * 0.5;
    let plane = at / (params.to_x * params.to_y);
    let row = plane / params.channels * 14u;
    let place = vec2<f32>(f32(at % params.to_x), f32(at / params.to_x % params.to_y));
    let written = place - to_centre;
    let middle = mapped(row + 6u, written) + from_centre;
    // Rounding must not lose an element: what lies beyond has weight 0.
    let reach = vec2<f32>(maps[row + 12u], maps[row + 13u]) + 1.0 / 64.0;
    let first = clamp(ceil(middle - reach), vec2<f32>(0.0), from_size);
    let end = clamp(floor(middle + reach) + 1.0, vec2<f32>(0.0), from_size);
    let base = plane * (params.from_x * params.from_y);

    var sum = 0.0;
    for (var iy = u32(first.y); iy < u32(end.y); iy++) {
        for (var ix = u32(first.x); ix < u32(end.x); ix++) {
            let read = vec2<f32>(f32(ix), f32(iy)) - from_centre;
            let is_transposed = params.transposed != 0u;
            let o = select(written, read, is_transposed);
            let i = select(read, written, is_transposed);
            sum += hat(mapped(row, o) - i) * x[base + iy * params.from_x + ix];
        }
    }
    y[at] = sum;
}
