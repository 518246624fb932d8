//! `numpy.random.RandomState(seed).randn(n)`: the latents of published seeds of NVIDIA's networks.
//! Sources: Matsumoto and Nishimura, "Mersenne Twister" (1998); Marsaglia and Bray's polar method,
//! whose pairs NumPy hands out second one first.

const LENGTH: usize = 624;
const MIDDLE: usize = 397;

/// The 32-bit Mersenne Twister.
struct MersenneTwister {
    state: [u32; LENGTH],
    at: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; LENGTH];
        for k in 1..LENGTH {
            let before = state[k - 1];
            state[k] = 1_812_433_253u32.wrapping_mul(before ^ before >> 30).wrapping_add(k as u32);
        }
        Self { state, at: LENGTH }
    }

    fn refill(&mut self) {
        for k in 0..LENGTH {
            let next = self.state[(k + 1) % LENGTH];
            let joined = self.state[k] & 0x8000_0000 | next & 0x7fff_ffff;
            let twisted = joined >> 1 ^ if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[k] = self.state[(k + MIDDLE) % LENGTH] ^ twisted;
        }
        self.at = 0;
    }

    fn next(&mut self) -> u32 {
        if self.at == LENGTH {
            self.refill();
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// From 0 to 1, with 53 bits.
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.next() >> 5, self.next() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Two normal numbers.
    fn normals(&mut self) -> [f64; 2] {
        loop {
            let [a, b] = [0; 2].map(|_| 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                return [factor * b, factor * a];
            }
        }
    }
}

/// n normal numbers of a seed.
pub(super) fn randn(seed: u32, n: usize) -> Vec<f32> {
    let mut twister = MersenneTwister::new(seed);
    let pairs = (0..n.div_ceil(2)).flat_map(|_| twister.normals());
    pairs.take(n).map(|x| x as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numpys() {
        // numpy.random.RandomState(85).randn(1300)[[0, 1, 2, 1299]], and of seed 4294967295.
        let close = |got: f32, want: f64| assert!((f64::from(got) - want).abs() < 1e-6, "{got}");
        let numbers = randn(85, 1300);
        let wanted = [(0, 0.1768507210788626), (1, 2.3777541249700573), (2, 0.998732857053734)];
        wanted.iter().for_each(|&(k, want)| close(numbers[k], want));
        close(numbers[1299], 0.685373051554352);
        close(randn(u32::MAX, 1)[0], 0.6484086742306527);
    }
}
