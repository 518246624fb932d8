// y[s] = 1 where segment s of x holds a NaN or an infinity, else 0.
// One workgroup per segment: its lanes stride over the segment with the bit test (exponent all
// ones), because drivers fold x != x to false. Reads x once.

override WG: u32 = 256;

struct Params { segments: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> nonfinite_found: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let segment = wg.x + wg.y * grid.x;
    if segment >= params.segments {
        return; // the whole workgroup
    }
    var found = 0u;
    for (var i = u32(starts[segment]) + lane; i < u32(starts[segment + 1u]); i += WG) {
        found |= u32((bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u);
    }
    nonfinite_found[lane] = found;
    workgroupBarrier();
    if lane == 0u {
        for (var k = 1u; k < WG; k++) {
            found |= nonfinite_found[k];
        }
        y[segment] = f32(found);
    }
}
