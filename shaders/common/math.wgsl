// Functions whose built-in forms overflow, lose digits or differ between drivers. A NaN stays a NaN
// (`x != x` and the built-in min, max and clamp do not see it); nothing here relies on infinity or
// on fused multiply-add. Relative error a few 1e-6, the driver's exp included.

fn math_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn math_max(a: f32, b: f32) -> f32 {
    return select(b, a, a > b || math_is_nan(a));
}

fn math_min(a: f32, b: f32) -> f32 {
    return select(b, a, a < b || math_is_nan(a));
}

fn math_sign(x: f32) -> f32 {
    return select(select(-1.0, 1.0, x > 0.0), x, x == 0.0 || math_is_nan(x));
}

// At most the largest number, at least 0.
fn math_exp(x: f32) -> f32 {
    let y = select(exp(clamp(x, -87.0, 88.722)), 0.0, x < -87.0);
    return select(y, x, math_is_nan(x));
}

// At least the logarithm of the smallest normal number, also for 0 and below.
fn math_log(x: f32) -> f32 {
    return select(log(max(x, 1.17549435e-38)), x, math_is_nan(x));
}

// log(1 + u) for u in [0, 1]: 2 artanh(u / (2 + u)), by its series.
fn math_log1p(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let z = s * s;
    var tail = 1.0 / 15.0;
    tail = tail * z + 1.0 / 13.0;
    tail = tail * z + 1.0 / 11.0;
    tail = tail * z + 1.0 / 9.0;
    tail = tail * z + 1.0 / 7.0;
    tail = tail * z + 1.0 / 5.0;
    tail = tail * z + 1.0 / 3.0;
    return 2.0 * s * (tail * z + 1.0);
}

fn math_softplus(x: f32) -> f32 {
    return math_max(x, 0.0) + math_log1p(math_exp(-abs(x)));
}

fn math_sigmoid(x: f32) -> f32 {
    let e = math_exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// A polynomial near 0, where 1 - 2 / (e^2x + 1) cancels (Cephes, tanhf).
fn math_tanh(x: f32) -> f32 {
    let a = abs(x);
    if a < 0.625 {
        let z = x * x;
        var p = -5.70498872745e-3;
        p = p * z + 2.06390887954e-2;
        p = p * z - 5.37397155531e-2;
        p = p * z + 1.33314422036e-1;
        p = p * z - 3.33332819422e-1;
        return p * z * x + x;
    }
    let y = 1.0 - 2.0 / (exp(2.0 * min(a, 15.0)) + 1.0);
    return select(select(y, -y, x < 0.0), x, math_is_nan(x));
}

// sin(x + quarter * pi / 2). The multiple of pi / 2 is taken off in pieces of 8 bits, whose products
// with it are exact for |x| < 1e5; polynomials of Cephes, sinf.
fn math_wave(x: f32, quarter: u32) -> f32 {
    let k = round(clamp(x, -1e6, 1e6) * 0.6366197723675814);
    let s = (x - k * 1.5703125) - k * 0.0004825592041015625;
    let r = (s - k * 1.2665987014770508e-06) - k * 9.92093629e-10;
    let z = r * r;
    let odd = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let even = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2)
        * z * z - 0.5 * z + 1.0;
    let quadrant = bitcast<u32>(i32(k)) + quarter;
    let y = select(odd, even, (quadrant & 1u) == 1u);
    return select(select(y, -y, (quadrant & 2u) == 2u), x, math_is_nan(x));
}

fn math_sin(x: f32) -> f32 {
    return math_wave(x, 0u);
}

fn math_cos(x: f32) -> f32 {
    return math_wave(x, 1u);
}

// Arc cosine of x cut to [-1, 1]; beyond 1/2 from the half angle, for 1 - |x| is exact there.
// Polynomial of Cephes, asinf.
fn math_acos(x: f32) -> f32 {
    let a = min(abs(x), 1.0);
    let is_far = a > 0.5;
    let z = select(a * a, 0.5 * (1.0 - a), is_far);
    let s = select(a, sqrt(z), is_far);
    var p = 4.2163199048e-2;
    p = p * z + 2.4181311049e-2;
    p = p * z + 4.5470025998e-2;
    p = p * z + 7.4953002686e-2;
    p = p * z + 1.6666752422e-1;
    let arcsine = p * z * s + s;
    let y = select(1.5707963267948966 - arcsine, 2.0 * arcsine, is_far);
    return select(select(y, 3.141592653589793 - y, x < 0.0), x, math_is_nan(x));
}

// For x above 0 and any y, or x = 0 and y above 0.
fn math_pow(x: f32, y: f32) -> f32 {
    let power = select(pow(max(x, 1.17549435e-38), y), 0.0, x == 0.0);
    return select(power, x, math_is_nan(x));
}
