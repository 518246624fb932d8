// A matrix product by tiles in workgroup memory, for kernels that say where their factors lie. The
// kernel declares `override TILE_M` and `override TILE_N`, 64 or 128 each, and has 256 invocations;
// a workgroup makes TILE_M x TILE_N elements of y, each invocation 4 x 4 to 8 x 8 in registers:
//
//     for each block of GEMM_DEPTH products, and once more:
//         load the block, multiply the one before, put the block, workgroupBarrier
//
// so that loads arrive while products are summed. Two blocks of both factors fill 16 KiB at most.
// At 8 x 8, 64 multiply-adds cost one load and 4 reads of a vec4.
// A quad is a vec4 of elements a quarter of the tile apart: element j of quad q is row (or column)
// q + j * TILE / 4, so neighbouring invocations load and store neighbours. Quads are turned by an
// exclusive or with the product's number, so that writes along either side meet all banks.
// uses: tile

override GEMM_DEPTH: u32 = 1024u / max(TILE_M, TILE_N);

var<workgroup> gemm_a: array<vec4<f32>, TILE_M * GEMM_DEPTH / 2u>;
var<workgroup> gemm_b: array<vec4<f32>, TILE_N * GEMM_DEPTH / 2u>;

// The invocation's sums: quads of rows `x`, and `x` + 16, by quads of columns.
var<private> gemm_sum00: mat4x4<f32>;
var<private> gemm_sum01: mat4x4<f32>;
var<private> gemm_sum10: mat4x4<f32>;
var<private> gemm_sum11: mat4x4<f32>;

// A tile's first row and column, and which matrix (or part of a sum) it is of.
struct GemmTile { row: u32, col: u32, matrix: u32 }

// Tiles below each other follow each other: they read the same part of b, the larger factor.
fn gemm_tile(item: u32, rows: u32, cols: u32) -> GemmTile {
    let high = (rows + TILE_M - 1u) / TILE_M;
    let wide = (cols + TILE_N - 1u) / TILE_N;
    return GemmTile(item % high * TILE_M, item / high % wide * TILE_N, item / (high * wide));
}

// First and last (exclusive) of the products that part `part` sums.
fn gemm_range(part: u32, products: u32) -> vec2<u32> {
    let blocks = (products + GEMM_DEPTH - 1u) / GEMM_DEPTH;
    let run = (blocks + params.parts - 1u) / params.parts * GEMM_DEPTH;
    let start = min(part * run, products);
    return vec2(start, min(start + run, products));
}

fn gemm_blocks(range: vec2<u32>) -> u32 {
    return (range.y - range.x + GEMM_DEPTH - 1u) / GEMM_DEPTH;
}

// Which quad of a block's which product an invocation loads. There may be more of either than the
// block has.
struct GemmPlace { quad: u32, k: u32 }

// Neighbours along the products if `is_deep`, else along the tile's side; as memory lies.
fn gemm_place(lane: u32, side: u32, is_deep: bool) -> GemmPlace {
    let quads = side / 4u;
    return GemmPlace(
        select(lane % quads, lane / GEMM_DEPTH, is_deep),
        select(lane / quads, lane % GEMM_DEPTH, is_deep),
    );
}

// The four rows or columns of a quad.
fn gemm_quad(first: u32, quad: u32, side: u32) -> vec4<u32> {
    return first + quad + tile_lanes() * (side / 4u);
}

// Where a quad lies in its array. Blocks take turns in the array's halves.
fn gemm_index(at: GemmPlace, block: u32, side: u32) -> u32 {
    let k = (block & 1u) * GEMM_DEPTH + at.k;
    return k * (side / 4u) + (at.quad ^ (at.k & 7u));
}

fn gemm_put_a(at: GemmPlace, block: u32, value: vec4<f32>) {
    if at.quad < TILE_M / 4u && at.k < GEMM_DEPTH {
        gemm_a[gemm_index(at, block, TILE_M)] = value;
    }
}

fn gemm_put_b(at: GemmPlace, block: u32, value: vec4<f32>) {
    if at.quad < TILE_N / 4u && at.k < GEMM_DEPTH {
        gemm_b[gemm_index(at, block, TILE_N)] = value;
    }
}

// The invocation's first quad of rows and of columns, below 16. 32 neighbours take 4 x 8 quads: a
// square of reads is the shortest.
fn gemm_own(lane: u32) -> vec2<u32> {
    return vec2(lane / 64u * 4u + lane / 8u % 4u, lane / 32u % 2u * 8u + lane % 8u);
}

// In the smaller tiles the second quads are the first again, and not used.
fn gemm_step(own: vec2<u32>, first: vec2<u32>, turn: u32) {
    let a = first.x + turn * (TILE_M / 4u) + (own.x ^ turn);
    let b = first.y + turn * (TILE_N / 4u) + (own.y ^ turn);
    let a0 = gemm_a[a];
    let a1 = gemm_a[a + TILE_M / 4u - 16u];
    let b0 = gemm_b[b];
    let b1 = gemm_b[b + TILE_N / 4u - 16u];
    gemm_sum00 = tile_add(gemm_sum00, a0, b0);
    if TILE_N > 64u {
        gemm_sum01 = tile_add(gemm_sum01, a0, b1);
    }
    if TILE_M > 64u {
        gemm_sum10 = tile_add(gemm_sum10, a1, b0);
    }
    if min(TILE_M, TILE_N) > 64u {
        gemm_sum11 = tile_add(gemm_sum11, a1, b1);
    }
}

// Eight products from number `k` on, without a loop, whose counter would cost more than its round.
fn gemm_steps(own: vec2<u32>, k: u32) {
    let first = k * vec2(TILE_M / 4u, TILE_N / 4u);
    gemm_step(own, first, 0u);
    gemm_step(own, first, 1u);
    gemm_step(own, first, 2u);
    gemm_step(own, first, 3u);
    gemm_step(own, first, 4u);
    gemm_step(own, first, 5u);
    gemm_step(own, first, 6u);
    gemm_step(own, first, 7u);
}

// Adds the block before `block`, if there is one.
fn gemm_multiply(own: vec2<u32>, block: u32) {
    if block == 0u {
        return;
    }
    let first = ((block - 1u) & 1u) * GEMM_DEPTH;
    gemm_steps(own, first);
    if GEMM_DEPTH > 8u {
        gemm_steps(own, first + 8u);
    }
}

fn gemm_store_row(values: vec4<f32>, row: u32, goal: TileGoal) {
    let is_inside = row < goal.rows;
    tile_store_row(values, goal.to + row * goal.pitch, goal.inside & vec4(is_inside));
}

fn gemm_store(sum: mat4x4<f32>, rows: vec4<u32>, goal: TileGoal) {
    gemm_store_row(sum[0], rows.x, goal);
    gemm_store_row(sum[1], rows.y, goal);
    gemm_store_row(sum[2], rows.z, goal);
    gemm_store_row(sum[3], rows.w, goal);
}

// Writes the sums of the first 16 quads of columns, or of the second 16.
fn gemm_store_first(tile: GemmTile, own: vec2<u32>, goal: TileGoal) {
    gemm_store(gemm_sum00, gemm_quad(tile.row, own.x, TILE_M), goal);
    if TILE_M > 64u {
        gemm_store(gemm_sum10, gemm_quad(tile.row, own.x + 16u, TILE_M), goal);
    }
}

fn gemm_store_second(tile: GemmTile, own: vec2<u32>, goal: TileGoal) {
    gemm_store(gemm_sum01, gemm_quad(tile.row, own.x, TILE_M), goal);
    if TILE_M > 64u {
        gemm_store(gemm_sum11, gemm_quad(tile.row, own.x + 16u, TILE_M), goal);
    }
}
