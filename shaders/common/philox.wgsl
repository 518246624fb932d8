// Philox4x32-10 (Salmon et al. 2011) and Box-Muller.

fn philox_mul_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + (al * bl >> 16u);
    let carry = al * bh + (middle & 0xffffu);
    return ah * bh + (middle >> 16u) + (carry >> 16u);
}

fn philox4x32(start: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var counter = start;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let high_a = philox_mul_high(counter.x, 0xD2511F53u);
        let high_b = philox_mul_high(counter.z, 0xCD9E8D57u);
        counter = vec4<u32>(
            high_b ^ counter.y ^ key.x,
            counter.z * 0xCD9E8D57u,
            high_a ^ counter.w ^ key.y,
            counter.x * 0xD2511F53u,
        );
        key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// Two standard normals from two uniforms in [0, 1). The cosine and sine of 2 pi u come from the
// nearest quarter turn, which is exact, and a short series on the rest, so that no driver's sine
// matters.
fn philox_normals(u: vec2<f32>) -> vec2<f32> {
    let length = sqrt(-2.0 * philox_log(1.0 - u.x));
    let quarter = floor(4.0 * u.y + 0.5);
    let t = (4.0 * u.y - quarter) * 1.57079632679;
    let t2 = t * t;
    let s5 = 8.3333333e-3 + t2 * (-1.9841270e-4 + t2 * 2.7557319e-6);
    let s = t * (1.0 + t2 * (-1.6666667e-1 + t2 * s5));
    let c6 = -1.3888889e-3 + t2 * (2.4801587e-5 - t2 * 2.7557319e-7);
    let c = 1.0 + t2 * (-0.5 + t2 * (4.1666667e-2 + t2 * c6));
    let turn = u32(quarter) & 3u;
    let swapped = select(vec2<f32>(c, s), vec2<f32>(s, c), (turn & 1u) == 1u);
    let negative = vec2<bool>(turn == 1u || turn == 2u, turn >= 2u);
    let sign = select(vec2<f32>(1.0), vec2<f32>(-1.0), negative);
    return length * sign * swapped;
}

// Logarithm on (0, 1]: exponent by bits, mantissa in [sqrt(1/2), sqrt(2)) by the series of
// log((1 + r) / (1 - r)); relative error below 2e-7 also next to 1, where drivers differ.
fn philox_log(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    var exponent = f32(i32(bits >> 23u) - 127);
    var mantissa = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
    if mantissa > 1.41421356 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let r = (mantissa - 1.0) / (mantissa + 1.0);
    let r2 = r * r;
    let tail = 0.2 + r2 * (0.14285714 + r2 * 0.11111111);
    return exponent * 0.69314718056 + 2.0 * r * (1.0 + r2 * (0.33333333 + r2 * tail));
}
