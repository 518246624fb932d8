// matmul.wgsl for GPUs, a choice of src/ops/linear/matmul.rs: tiles of both factors go through
// workgroup memory; common/gemm.wgsl says how. Loads run along a factor's contiguous side.
// Part p of `parts` sums some of the products and writes y[p], so that small matrices fill a GPU
// too; a reduction adds the parts, the first of which has the bias.
// uses: index, gemm

override TILE_M: u32 = 128;
override TILE_N: u32 = 128;

struct Params {
    batches: u32, m: u32, k: u32, n: u32,
    a_batch: u32, a_row: u32, a_col: u32,
    b_batch: u32, b_row: u32, b_col: u32,
    alpha: f32, beta: f32, a_squared: u32, b_squared: u32,
    parts: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn load_a(rows: vec4<u32>, k: u32, end: u32) -> vec4<f32> {
    let is_inside = k < end;
    let at = select(vec4(0u), rows + k * params.a_col, is_inside);
    let values = vec4(a[at.x], a[at.y], a[at.z], a[at.w]);
    let wanted = select(values, values * values, params.a_squared == 1u);
    return select(vec4(0.0), wanted, is_inside);
}

fn load_b(cols: vec4<u32>, k: u32, end: u32) -> vec4<f32> {
    let is_inside = k < end;
    let at = select(vec4(0u), cols + k * params.b_row, is_inside);
    let values = vec4(b[at.x], b[at.y], b[at.z], b[at.w]);
    let wanted = select(values, values * values, params.b_squared == 1u);
    return select(vec4(0.0), wanted, is_inside);
}

fn goal(col: vec4<u32>, matrix: u32) -> TileGoal {
    let to = matrix * params.m * params.n + col;
    return TileGoal(to, col < vec4(params.n), params.m, params.n);
}

// Four equal rows of beta times the bias of four columns. Without a beta nothing is read.
fn under(cols: vec4<u32>, beta: f32) -> mat4x4<f32> {
    if beta == 0.0 {
        return mat4x4<f32>();
    }
    let at = min(cols, vec4(params.n - 1u));
    let row = beta * vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    return mat4x4(row, row, row, row);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = gemm_tile(index_group(wg, grid), params.m, params.n);
    let batch = tile.matrix % params.batches;
    let part = tile.matrix / params.batches;
    if part >= params.parts {
        return;
    }
    let range = gemm_range(part, params.k);

    let of_a = gemm_place(lane, TILE_M, params.a_col == 1u);
    let row = min(gemm_quad(tile.row, of_a.quad, TILE_M), vec4(params.m - 1u));
    let rows = batch * params.a_batch + row * params.a_row;
    let of_b = gemm_place(lane, TILE_N, params.b_row == 1u);
    let col = min(gemm_quad(tile.col, of_b.quad, TILE_N), vec4(params.n - 1u));
    let cols = batch * params.b_batch + col * params.b_col;
    var k = range.x;

    let own = gemm_own(lane);
    let blocks = gemm_blocks(range);
    for (var block = 0u; block <= blocks; block++) {
        let left = load_a(rows, k + of_a.k, range.y);
        let right = load_b(cols, k + of_b.k, range.y);
        gemm_multiply(own, block);
        gemm_put_a(of_a, block, left);
        gemm_put_b(of_b, block, right);
        k += GEMM_DEPTH;
        workgroupBarrier();
    }
    let beta = select(0.0, params.beta, part == 0u);
    let first = gemm_quad(tile.col, own.y, TILE_N);
    let under0 = under(first, beta);
    gemm_sum00 = params.alpha * gemm_sum00 + under0;
    gemm_sum10 = params.alpha * gemm_sum10 + under0;
    gemm_store_first(tile, own, goal(first, tile.matrix));
    if TILE_N > 64u {
        let last = gemm_quad(tile.col, own.y + 16u, TILE_N);
        let under1 = under(last, beta);
        gemm_sum01 = params.alpha * gemm_sum01 + under1;
        gemm_sum11 = params.alpha * gemm_sum11 + under1;
        gemm_store_second(tile, own, goal(last, tile.matrix));
    }
}
