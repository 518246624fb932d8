// upfirdn2d.wgsl for at most 4 taps along an axis, and the same UP and DOWN, at most 2, along both;
// launched by src/ops/resample/upfirdn2d.rs.
// One invocation makes 4 x 4 neighbours of a plane: where nothing is skipped from 7 x 7 inputs, 3
// loads an element instead of 16. Missing taps are zero.
// Tap t of output o meets input (o DOWN + t + ODD) / UP - before of an axis, where that is whole.
// uses: index, tile

override WG: u32 = 64;
override UP: u32 = 1;
override DOWN: u32 = 1;
override ODD: u32 = 0;

// Inputs along an axis that a tile meets at most.
const REACH: u32 = 11u;

struct Params {
    items: u32, reversed: u32, taps_y: u32, taps_x: u32, before_y: i32, before_x: i32,
    in_y: u32, in_x: u32, out_y: u32, out_x: u32,
    tiles_y: u32, tiles_y_magic: u32, tiles_y_shift: u32,
    tiles_x: u32, tiles_x_magic: u32, tiles_x_shift: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn tap(ty: u32, tx: u32) -> f32 {
    let t = ty * params.taps_x + tx;
    let last = params.taps_y * params.taps_x - 1u;
    let is_there = ty < params.taps_y && tx < params.taps_x;
    let at = select(last - t, t, params.reversed != 0u);
    return select(0.0, kernel[select(0u, at, is_there)], is_there);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let item = index_item(id, grid, WG);
    if item >= params.items {
        return;
    }
    let line = index_divide(item, params.tiles_x_magic, params.tiles_x_shift);
    let plane = index_divide(line, params.tiles_y_magic, params.tiles_y_shift);
    let oy = (line - plane * params.tiles_y) * 4u;
    let ox = (item - line * params.tiles_x) * 4u;
    let top = oy * DOWN / UP - u32(params.before_y);
    let left = ox * DOWN / UP - u32(params.before_x);
    let reach = (3u * DOWN + 3u + ODD) / UP + 1u;
    // The first tap that meets an input, of outputs with an even and with an odd place in the tile.
    let even = ODD % UP;
    let uneven = (DOWN + ODD) % UP;

    // Columns of `taps` are rows of the filter.
    var taps: mat4x4<f32>;
    // unroll
    for (var t = 0u; t < 4u; t++) {
        taps[t] = vec4(tap(t, 0u), tap(t, 1u), tap(t, 2u), tap(t, 3u));
    }
    var sums: mat4x4<f32>;
    // unroll
    for (var r = 0u; r < REACH; r++) {
        if r < reach {
            let iy = top + r;
            let is_row = iy < params.in_y;
            let start = (plane * params.in_y + select(0u, iy, is_row)) * params.in_x;
            var inputs: array<f32, REACH>;
            // unroll
            for (var i = 0u; i < REACH; i++) {
                if i < reach {
                    let inside = is_row && left + i < params.in_x;
                    inputs[i] = select(0.0, x[start + select(0u, left + i, inside)], inside);
                }
            }
            // unroll
            for (var i = 0u; i < 4u; i++) {
                // Row i of the tile meets this line in its tap r UP - i DOWN - ODD, where that is
                // one; 8 more, so that it is not negative.
                let ty = r * UP + 8u - i * DOWN - ODD;
                if ty / 4u == 2u {
                    // unroll
                    for (var t = 0u; t < 4u; t++) {
                        if t * UP < 4u {
                            let a = (t * UP + even) % 4u;
                            let b = (t * UP + uneven) % 4u;
                            sums[i] += vec2(taps[ty % 4u][a], taps[ty % 4u][b]).xyxy * vec4(
                                inputs[(a + ODD) / UP],
                                inputs[(b + DOWN + ODD) / UP],
                                inputs[(a + 2u * DOWN + ODD) / UP],
                                inputs[(b + 3u * DOWN + ODD) / UP],
                            );
                        }
                    }
                }
            }
        }
    }
    let cols = ox + tile_lanes();
    let to = plane * params.out_y * params.out_x + cols;
    tile_store(sums, oy, TileGoal(to, cols < vec4(params.out_x), params.out_y, params.out_x));
}
