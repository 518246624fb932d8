// conv2d.wgsl for GPUs, a choice of src/ops/conv/conv2d.rs: a product of w, [o, (c, ky, kx)], and a
// matrix [(c, ky, kx), (n, oy, ox)] of elements of x that is gathered tile by tile into workgroup
// memory; common/gemm.wgsl says how. Loads of w run along (c, ky, kx), those of x and stores along
// ox.
// The addresses of an invocation's four positions are found once; a product's tap moves them, and
// taps are stepped through without division. Part p of `parts` sums some of the products and writes
// y[p, n, o, oy, ox], so that small images fill a GPU too; a reduction adds the parts.
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
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The inputs that tap (0, 0) of channel 0 brings to four positions.
fn place(position: vec4<u32>, group: u32) -> Patch {
    let area = params.height_out * params.width_out;
    let n = position / area;
    let row = position % area / params.width_out * params.stride_y - params.padding_y;
    let col = position % params.width_out * params.stride_x - params.padding_x;
    let plane = (n * params.groups + group) * params.channels_in * params.height_in;
    let is_real = n < vec4(params.samples);
    let at = (plane + row) * params.width_in + col;
    return Patch(at, select(vec4(PATCH_NOWHERE), row, is_real), col);
}

// From tap (0, 0) of channel 0 to (c, ky, kx).
fn tap_move(tap: vec3<u32>) -> PatchMove {
    let row = tap.y * params.dilation_y;
    let col = tap.z * params.dilation_x;
    return PatchMove((tap.x * params.height_in + row) * params.width_in + col, row, col);
}

fn load_w(rows: vec4<u32>, k: u32, end: u32) -> vec4<f32> {
    let is_inside = k < end;
    let at = select(vec4(0u), rows + k, is_inside);
    return select(vec4(0.0), vec4(w[at.x], w[at.y], w[at.z], w[at.w]), is_inside);
}

fn goal(position: vec4<u32>, image: u32, part: u32) -> TileGoal {
    let area = params.height_out * params.width_out;
    let n = position / area + part * params.samples;
    let to = (n * params.groups + image) * params.channels_out * area + position % area;
    return TileGoal(to, position < vec4(params.samples * area), params.channels_out, area);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let positions = params.samples * params.height_out * params.width_out;
    let tile = gemm_tile(index_group(wg, grid), params.channels_out, positions);
    let group = tile.matrix % params.groups;
    let part = tile.matrix / params.groups;
    if part >= params.parts {
        return;
    }
    let kernel = vec2(params.kernel_y, params.kernel_x);
    let fan = params.channels_in * kernel.x * kernel.y;
    let range = gemm_range(part, fan);

    let of_w = gemm_place(lane, TILE_M, true);
    let channel = min(gemm_quad(tile.row, of_w.quad, TILE_M), vec4(params.channels_out - 1u));
    let rows = (group * params.channels_out + channel) * fan;
    let of_x = gemm_place(lane, TILE_N, false);
    let places = place(gemm_quad(tile.col, of_x.quad, TILE_N), group);
    let size = vec2(params.height_in, params.width_in);
    let step = patch_digits(GEMM_DEPTH, kernel);
    var tap = patch_digits(range.x + of_x.k, kernel);
    var k = range.x;

    let own = gemm_own(lane);
    let blocks = gemm_blocks(range);
    for (var block = 0u; block <= blocks; block++) {
        let a = load_w(rows, k + of_w.k, range.y);
        let b = patch_load(places, tap_move(tap), size, k + of_x.k < range.y);
        gemm_multiply(own, block);
        gemm_put_a(of_w, block, a);
        gemm_put_b(of_x, block, b);
        k += GEMM_DEPTH;
        tap = patch_next(tap, step, kernel);
        workgroupBarrier();
    }
    gemm_store_first(tile, own, goal(gemm_quad(tile.col, own.y, TILE_N), group, part));
    if TILE_N > 64u {
        gemm_store_second(tile, own, goal(gemm_quad(tile.col, own.y + 16u, TILE_N), group, part));
    }
}
