// Up to seven neighbouring parts of a concatenation: rows of `width` elements go into rows of
// `pitch` elements of y, behind `start`; part k of a row ends before `end<k>`. One invocation per
// element.
// uses: index

override WG: u32 = 256;

struct Params {
    len: u32, width: u32, width_magic: u32, width_shift: u32, pitch: u32, start: u32,
    end0: u32, end1: u32, end2: u32, end3: u32,
    end4: u32, end5: u32, end6: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read> x6: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

// Where a part that lies between `start` and `end` has its element.
fn place(row: u32, col: u32, start: u32, end: u32) -> u32 {
    return row * (end - start) + col - start;
}

fn value(row: u32, col: u32) -> f32 {
    if col < params.end0 {
        return x0[place(row, col, 0u, params.end0)];
    } else if col < params.end1 {
        return x1[place(row, col, params.end0, params.end1)];
    } else if col < params.end2 {
        return x2[place(row, col, params.end1, params.end2)];
    } else if col < params.end3 {
        return x3[place(row, col, params.end2, params.end3)];
    } else if col < params.end4 {
        return x4[place(row, col, params.end3, params.end4)];
    } else if col < params.end5 {
        return x5[place(row, col, params.end4, params.end5)];
    }
    return x6[place(row, col, params.end5, params.end6)];
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
    let row = index_divide(i, params.width_magic, params.width_shift);
    let col = i - row * params.width;
    y[row * params.pitch + params.start + col] = value(row, col);
}
