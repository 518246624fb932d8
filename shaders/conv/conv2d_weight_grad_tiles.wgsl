// conv2d_weight_grad.wgsl for GPUs, a choice of src/ops/conv/conv2d_weight_grad.rs: a product of g,
// [o, (n, oy, ox)], and a matrix [(n, oy, ox), (c, ky, kx)] of elements of x that is gathered tile
// by tile into workgroup memory; common/gemm.wgsl says how. conv2d_tiles.wgsl is the same with
// positions and taps exchanged. All loads run along ox, stores along (c, ky, kx).
// Part p of `parts` sums some of the products and writes y[p, o, c, ky, kx], so that few weights
// fill a GPU too; a reduction adds the parts.
// uses: index, gemm, patch

override TILE_M: u32 = 128;
override TILE_N: u32 = 128;

struct Params {
    samples: u32, groups: u32, channels_in: u32, channels_out: u32,
    height_in: u32, width_in: u32, height_out: u32, width_out: u32,
    kernel_y: u32, kernel_x: u32, stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32, dilation_y: u32, dilation_x: u32,
    parts: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The inputs that four weights (c, ky, kx) meet at position 0 of sample 0.
fn place(weight: vec4<u32>) -> Patch {
    let taps = params.kernel_y * params.kernel_x;
    let c = weight / taps;
    let row = weight % taps / params.kernel_x * params.dilation_y - params.padding_y;
    let col = weight % params.kernel_x * params.dilation_x - params.padding_x;
    let is_real = c < vec4(params.channels_in);
    let at = (c * params.height_in + row) * params.width_in + col;
    return Patch(at, select(vec4(PATCH_NOWHERE), row, is_real), col);
}

// From position 0 of sample 0 to (n, oy, ox).
fn position_move(position: vec3<u32>, group: u32) -> PatchMove {
    let row = position.y * params.stride_y;
    let col = position.z * params.stride_x;
    let plane = (position.x * params.groups + group) * params.channels_in * params.height_in;
    return PatchMove((plane + row) * params.width_in + col, row, col);
}

// At four channels' first element of an image.
fn load_g(channels: vec4<u32>, position: vec3<u32>, group: u32, is_wanted: bool) -> vec4<f32> {
    let line = (position.x * params.groups + group) * params.channels_out * params.height_out;
    let offset = (line + position.y) * params.width_out + position.z;
    let at = select(vec4(0u), channels + offset, is_wanted);
    return select(vec4(0.0), vec4(g[at.x], g[at.y], g[at.z], g[at.w]), is_wanted);
}

fn goal(weight: vec4<u32>, fan: u32, image: u32) -> TileGoal {
    let to = image * params.channels_out * fan + weight;
    return TileGoal(to, weight < vec4(fan), params.channels_out, fan);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let fan = params.channels_in * params.kernel_y * params.kernel_x;
    let tile = gemm_tile(index_group(wg, grid), params.channels_out, fan);
    let group = tile.matrix % params.groups;
    let part = tile.matrix / params.groups;
    if part >= params.parts {
        return;
    }
    let lines = vec2(params.height_out, params.width_out);
    let range = gemm_range(part, params.samples * lines.x * lines.y);

    let of_g = gemm_place(lane, TILE_M, true);
    let channel = min(gemm_quad(tile.row, of_g.quad, TILE_M), vec4(params.channels_out - 1u));
    let channels = channel * lines.x * lines.y;
    let of_x = gemm_place(lane, TILE_N, true);
    let places = place(gemm_quad(tile.col, of_x.quad, TILE_N));
    let size = vec2(params.height_in, params.width_in);
    let step = patch_digits(GEMM_DEPTH, lines);
    var position = patch_digits(range.x + lane % GEMM_DEPTH, lines);
    var k = range.x + lane % GEMM_DEPTH;

    let own = gemm_own(lane);
    let blocks = gemm_blocks(range);
    for (var block = 0u; block <= blocks; block++) {
        let a = load_g(channels, position, group, k < range.y);
        let b = patch_load(places, position_move(position, group), size, k < range.y);
        gemm_multiply(own, block);
        gemm_put_a(of_g, block, a);
        gemm_put_b(of_x, block, b);
        k += GEMM_DEPTH;
        position = patch_next(position, step, lines);
        workgroupBarrier();
    }
    let image = tile.matrix;
    gemm_store_first(tile, own, goal(gemm_quad(tile.col, own.y, TILE_N), fan, image));
    if TILE_N > 64u {
        gemm_store_second(tile, own, goal(gemm_quad(tile.col, own.y + 16u, TILE_N), fan, image));
    }
}
