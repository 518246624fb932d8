// matmul.wgsl for processors that pretend to be GPUs; launched by src/ops/linear/matmul.rs.
// One subgroup makes 32 rows x (8 columns per invocation). A load goes lane by lane there, so each
// invocation loads a's elements of one row in `SUBGROUP` and all get them by broadcast: 12 loads
// feed 256 multiply-adds. Two steps of the sum at a time, because the sums of a tile do not fit
// into a processor's registers. Rows and columns beyond the edge repeat the last one and are not
// written.
// uses: index

const SUBGROUP: u32 = 8u;
const STEPS: u32 = 2u;
const ROWS: u32 = 32u;

struct Params {
    batches: u32, m: u32, k: u32, n: u32,
    a_batch: u32, a_row: u32, a_col: u32,
    b_batch: u32, b_row: u32, b_col: u32,
    alpha: f32, beta: f32, a_squared: u32, b_squared: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// beta times the bias of four columns. Without a beta nothing is read.
fn under(cols: vec4<u32>) -> vec4<f32> {
    if params.beta == 0.0 {
        return vec4(0.0);
    }
    let at = min(cols, vec4(params.n - 1u));
    return params.beta * vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

@compute @workgroup_size(SUBGROUP)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let col_tiles = (params.n + 8u * SUBGROUP - 1u) / (8u * SUBGROUP);
    let row_tiles = (params.m + ROWS - 1u) / ROWS;
    let item = index_group(wg, grid);
    let batch = item / (col_tiles * row_tiles);
    if batch >= params.batches {
        return;
    }
    let row = item / col_tiles % row_tiles * ROWS;
    let first = item % col_tiles * (8u * SUBGROUP) + lane;
    var left: array<u32, ROWS / SUBGROUP>;
    // unroll
    for (var i = 0u; i < ROWS / SUBGROUP; i++) {
        let at = min(row + i * SUBGROUP + lane, params.m - 1u);
        left[i] = batch * params.a_batch + at * params.a_row;
    }
    var cols: array<vec4<u32>, 2>;
    var right: array<vec4<u32>, 2>;
    // unroll
    for (var h = 0u; h < 2u; h++) {
        cols[h] = first + (vec4(0u, 1u, 2u, 3u) + 4u * h) * SUBGROUP;
        right[h] = batch * params.b_batch + min(cols[h], vec4(params.n - 1u)) * params.b_col;
    }

    var sums: array<vec4<f32>, 2 * ROWS>;
    for (var p = 0u; p < params.k; p += STEPS) {
        var values: array<vec4<f32>, 2 * STEPS>;
        // unroll
        for (var q = 0u; q < STEPS; q++) {
            // unroll
            for (var h = 0u; h < 2u; h++) {
                let at = right[h] + min(p + q, params.k - 1u) * params.b_row;
                let of_b = vec4(b[at.x], b[at.y], b[at.z], b[at.w]);
                values[2u * q + h] = select(of_b, of_b * of_b, params.b_squared == 1u);
            }
        }
        // unroll
        for (var i = 0u; i < ROWS / SUBGROUP; i++) {
            var own: array<f32, STEPS>;
            // unroll
            for (var q = 0u; q < STEPS; q++) {
                let at = left[i] + min(p + q, params.k - 1u) * params.a_col;
                let of_a = select(a[at], a[at] * a[at], params.a_squared == 1u);
                own[q] = select(0.0, of_a, p + q < params.k);
            }
            // unroll
            for (var k = 0u; k < SUBGROUP; k++) {
                // unroll
                for (var h = 0u; h < 2u; h++) {
                    var sum = sums[2u * (i * SUBGROUP + k) + h];
                    // unroll
                    for (var q = 0u; q < STEPS; q++) {
                        sum += subgroupBroadcast(own[q], k) * values[2u * q + h];
                    }
                    sums[2u * (i * SUBGROUP + k) + h] = sum;
                }
            }
        }
    }

    let under0 = under(cols[0]);
    let under1 = under(cols[1]);
    // Eight at a time, the rest moving up: each store is much code, and an index that is no
    // constant would keep the sums out of registers.
    for (var i0 = row; i0 < min(row + ROWS, params.m); i0 += 8u) {
        // unroll
        for (var i = 0u; i < 8u; i++) {
            let base = batch * params.m * params.n + (i0 + i) * params.n;
            // unroll
            for (var h = 0u; h < 2u; h++) {
                let to = base + cols[h];
                let sum = params.alpha * sums[2u * i + h] + select(under1, under0, h == 0u);
                // unroll
                for (var k = 0u; k < 4u; k++) {
                    if i0 + i < params.m && cols[h][k] < params.n {
                        y[to[k]] = sum[k];
                    }
                }
            }
        }
        // unroll
        for (var i = 0u; i < 48u; i++) {
            sums[i] = sums[i + 16u];
        }
    }
}
