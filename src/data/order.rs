//! Which picture is the n-th of a training run.

/// The order in which pictures are shown: every epoch is a full permutation of its own.
///
/// Everything is a pure function of the seed and n, the number of images shown before: a resumed
/// run needs no state but n, and prefetching or the number of threads cannot change the order.
#[derive(Clone, Copy, Debug)]
pub struct EpochOrder {
    /// Number of pictures in the set, at least 1.
    pub len: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Whether half of the images are shown mirrored.
    pub mirror: bool,
}

impl EpochOrder {
    /// Index of the picture that is shown as the n-th image since the start of training.
    ///
    /// # Panics
    /// If `len` is 0.
    pub fn index(&self, n: u64) -> usize {
        let len = self.len as u64;
        let key = hash(hash(self.seed) ^ (n / len));
        // The network permutes the next power of four. Following it from a position until it
        // comes back below `len`, after fewer than four steps on average, permutes those below.
        let half_bits = (u64::BITS - (len - 1).leading_zeros()).div_ceil(2);
        let mut position = n % len;
        loop {
            position = feistel(position, half_bits, key);
            if position < len {
                return position as usize;
            }
        }
    }

    /// Whether the n-th image since the start of training is shown mirrored.
    pub fn mirrored(&self, n: u64) -> bool {
        const MIRROR: u64 = 0x6d69_7272_6f72; // "mirror": keeps these bits apart from the order's
        self.mirror && hash(hash(self.seed ^ MIRROR) ^ n) & 1 == 1
    }
}

/// A permutation of `0..1 << 2 * half_bits`. Each round can be undone whatever the hash returns,
/// so every key gives a permutation; small sets need more than the usual four rounds.
fn feistel(position: u64, half_bits: u32, key: u64) -> u64 {
    const ROUNDS: u64 = 8;
    let mask = (1 << half_bits) - 1;
    let (mut left, mut right) = (position >> half_bits, position & mask);
    for round in 0..ROUNDS {
        let mixed = hash(key ^ (round << 60) ^ right) & mask;
        (left, right) = (right, left ^ mixed);
    }
    left << half_bits | right
}

/// SplitMix64 (Steele, Lea and Flood 2014, figure 15). Written out because the order of a resumed
/// run must not depend on the version of a library.
fn hash(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_shows_every_picture_once() {
        for len in [1, 2, 3, 4, 5, 16, 17, 255, 1000] {
            let order = EpochOrder { len, seed: 3, mirror: true };
            for epoch in 0..3 {
                let mut seen = vec![false; len];
                for n in 0..len {
                    seen[order.index((epoch * len + n) as u64)] = true;
                }
                assert!(seen.iter().all(|&s| s), "len {len}, epoch {epoch}");
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let epoch = |seed, start| {
            let order = EpochOrder { len: 100, seed, mirror: false };
            (start..start + 100).map(|n| order.index(n)).collect::<Vec<_>>()
        };
        assert_ne!(epoch(0, 0), epoch(0, 100));
        assert_ne!(epoch(0, 0), epoch(1, 0));
        assert_eq!(epoch(0, 100), epoch(0, 100));
    }

    /// The stream is part of what a snapshot promises: it must never change.
    #[test]
    fn order_is_pinned() {
        let order = EpochOrder { len: 5000, seed: 7, mirror: true };
        let indices = [0, 1, 4999, 5000, 1 << 40].map(|n| order.index(n));
        assert_eq!(indices, [14, 4279, 145, 2974, 1253]);
        assert_eq!(hash(0), 0xe220_a839_7b1d_cdaf); // first output of the published generator
    }

    #[test]
    fn pictures_are_uniform_over_positions() {
        for len in [2, 3, 5, 10, 20] {
            let order = EpochOrder { len, seed: 1, mirror: false };
            let mut counts = vec![0.0; len * len];
            for n in 0..(len * len * 1000) as u64 {
                counts[n as usize % len * len + order.index(n)] += 1.0;
            }
            let expected = len as f64 * 1000.0 / len as f64;
            let chi2: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
            let freedom = ((len - 1) * (len - 1)) as f64;
            assert!(chi2 < freedom + 5.0 * (2.0 * freedom).sqrt(), "len {len}: {chi2}");
        }
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let order = EpochOrder { len: 10, seed: 1, mirror: true };
        let count = (0..10_000).filter(|&n| order.mirrored(n)).count();
        assert!((4800..5200).contains(&count), "{count}");
        assert!((0..100).all(|n| !EpochOrder { mirror: false, ..order }.mirrored(n)));
    }
}
