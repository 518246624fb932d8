// Moves elements. Each axis of y follows an axis of x, j = (i * step + start) / dilation, and reads
// zero where the division leaves a remainder or j is outside; one that follows none has stride 0.
// One invocation per element of y, innermost axis first; axes that are not there cost nothing.
// uses: index

override WG: u32 = 256;

struct Params {
    len: u32, rank: u32,
    size0: u32, n0: i32, stride0: u32, start0: i32, step0: i32, dilation0: i32,
    size1: u32, n1: i32, stride1: u32, start1: i32, step1: i32, dilation1: i32,
    size2: u32, n2: i32, stride2: u32, start2: i32, step2: i32, dilation2: i32,
    size3: u32, n3: i32, stride3: u32, start3: i32, step3: i32, dilation3: i32,
    size4: u32, n4: i32, stride4: u32, start4: i32, step4: i32, dilation4: i32,
    size5: u32, n5: i32, stride5: u32, start5: i32, step5: i32, dilation5: i32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Cursor {
    // Output index over the axes still to come.
    rest: u32,
    offset: u32,
    is_inside: bool,
}

fn follow(
    at: Cursor, size: u32, n: i32, stride: u32, start: i32, step: i32, dilation: i32,
) -> Cursor {
    var j = i32(at.rest % size) * step + start;
    var is_inside = at.is_inside && j >= 0;
    if dilation > 1 {
        is_inside &= j % dilation == 0;
        j /= dilation;
    }
    is_inside &= j < n;
    return Cursor(at.rest / size, at.offset + u32(j) * stride, is_inside);
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
    var at = Cursor(i, 0u, true);
    at = follow(at, params.size5, params.n5, params.stride5, params.start5, params.step5,
        params.dilation5);
    if params.rank > 1u {
        at = follow(at, params.size4, params.n4, params.stride4, params.start4, params.step4,
            params.dilation4);
    }
    if params.rank > 2u {
        at = follow(at, params.size3, params.n3, params.stride3, params.start3, params.step3,
            params.dilation3);
    }
    if params.rank > 3u {
        at = follow(at, params.size2, params.n2, params.stride2, params.start2, params.step2,
            params.dilation2);
    }
    if params.rank > 4u {
        at = follow(at, params.size1, params.n1, params.stride1, params.start1, params.step1,
            params.dilation1);
    }
    if params.rank > 5u {
        at = follow(at, params.size0, params.n0, params.stride0, params.start0, params.step0,
            params.dilation0);
    }
    var value = 0.0;
    if at.is_inside {
        value = x[at.offset];
    }
    y[i] = value;
}
