// Moves elements. Each axis of y follows an axis of x, j = (i * step + start) / dilation, and reads
// zero where the division leaves a remainder or j is outside; one that follows none has stride 0.
// One invocation for four neighbours along y's innermost axis: their row is found once. Every
// element of y is written once, and the elements of x that it shows are read once each.
// uses: index

override WG: u32 = 64;
// 1 where some dilation is not 1, which costs a division per axis.
override DILATED: u32 = 0;

struct Params {
    items: u32, rank: u32, pieces: u32, pieces_magic: u32, pieces_shift: u32, width: u32,
    size0: u32, size0_magic: u32, size0_shift: u32, n0: u32, stride0: u32,
    start0: i32, step0: i32, dilation0: u32, dilation0_magic: u32, dilation0_shift: u32,
    size1: u32, size1_magic: u32, size1_shift: u32, n1: u32, stride1: u32,
    start1: i32, step1: i32, dilation1: u32, dilation1_magic: u32, dilation1_shift: u32,
    size2: u32, size2_magic: u32, size2_shift: u32, n2: u32, stride2: u32,
    start2: i32, step2: i32, dilation2: u32, dilation2_magic: u32, dilation2_shift: u32,
    size3: u32, size3_magic: u32, size3_shift: u32, n3: u32, stride3: u32,
    start3: i32, step3: i32, dilation3: u32, dilation3_magic: u32, dilation3_shift: u32,
    size4: u32, size4_magic: u32, size4_shift: u32, n4: u32, stride4: u32,
    start4: i32, step4: i32, dilation4: u32, dilation4_magic: u32, dilation4_shift: u32,
    n5: u32, stride5: u32,
    start5: i32, step5: i32, dilation5: u32, dilation5_magic: u32, dilation5_shift: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Axis {
    n: u32, stride: u32, start: i32, step: i32,
    dilation: u32, magic: u32, shift: u32,
}

// A place in x, and whether it is one.
struct Place { offset: u32, is_inside: bool }

fn follow(outer: Place, i: u32, axis: Axis) -> Place {
    let spread = i32(i) * axis.step + axis.start;
    let at = u32(max(spread, 0));
    var j = at;
    if DILATED == 1u {
        j = index_divide(at, axis.magic, axis.shift);
    }
    let is_inside = spread >= 0 && j * axis.dilation == at && j < axis.n;
    return Place(outer.offset + j * axis.stride, outer.is_inside && is_inside);
}

// Reads somewhere in any case, which is cheaper than not to.
fn element(at: Place) -> f32 {
    return select(0.0, x[select(0u, at.offset, at.is_inside)], at.is_inside);
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
    let line = index_divide(item, params.pieces_magic, params.pieces_shift);
    var row = Place(0u, true);
    var rest = line;
    var next = 0u;
    if params.rank > 1u {
        next = index_divide(rest, params.size4_magic, params.size4_shift);
        row = follow(row, rest - next * params.size4, Axis(
            params.n4, params.stride4, params.start4, params.step4,
            params.dilation4, params.dilation4_magic, params.dilation4_shift,
        ));
        rest = next;
    }
    if params.rank > 2u {
        next = index_divide(rest, params.size3_magic, params.size3_shift);
        row = follow(row, rest - next * params.size3, Axis(
            params.n3, params.stride3, params.start3, params.step3,
            params.dilation3, params.dilation3_magic, params.dilation3_shift,
        ));
        rest = next;
    }
    if params.rank > 3u {
        next = index_divide(rest, params.size2_magic, params.size2_shift);
        row = follow(row, rest - next * params.size2, Axis(
            params.n2, params.stride2, params.start2, params.step2,
            params.dilation2, params.dilation2_magic, params.dilation2_shift,
        ));
        rest = next;
    }
    if params.rank > 4u {
        next = index_divide(rest, params.size1_magic, params.size1_shift);
        row = follow(row, rest - next * params.size1, Axis(
            params.n1, params.stride1, params.start1, params.step1,
            params.dilation1, params.dilation1_magic, params.dilation1_shift,
        ));
        rest = next;
    }
    if params.rank > 5u {
        next = index_divide(rest, params.size0_magic, params.size0_shift);
        row = follow(row, rest - next * params.size0, Axis(
            params.n0, params.stride0, params.start0, params.step0,
            params.dilation0, params.dilation0_magic, params.dilation0_shift,
        ));
        rest = next;
    }
    let first = (item - line * params.pieces) * 4u;
    let to = line * params.width + first;
    let inner = Axis(
        params.n5, params.stride5, params.start5, params.step5,
        params.dilation5, params.dilation5_magic, params.dilation5_shift,
    );
    // Unrolled: a loop of four costs a software driver more than the work in it.
    let v0 = element(follow(row, first, inner));
    let v1 = element(follow(row, first + 1u, inner));
    let v2 = element(follow(row, first + 2u, inner));
    let v3 = element(follow(row, first + 3u, inner));
    y[to] = v0;
    if first + 1u < params.width {
        y[to + 1u] = v1;
    }
    if first + 2u < params.width {
        y[to + 2u] = v2;
    }
    if first + 3u < params.width {
        y[to + 3u] = v3;
    }
}
