//! How a GPU's workgroups share a product of matrices: the one table for matrix products and
//! convolutions, which are products `[m, k] × [k, n]` too.
//!
//! A workgroup of `shaders/common/gemm.wgsl` makes a tile of 64 or 128 rows and columns. Large tiles
//! need fewer loads and reads per product; small ones, and parts of the sum over k that a second
//! pass adds in order, keep a GPU busy where the result is small.

use crate::device::{Launch, tuning};
use crate::ops::reduce;
use crate::tensor::Tensor;

/// Invocations of kernels with register tiles that fill a device.
pub(crate) const INVOCATIONS: usize = 16 * 1024;
/// Fewest workgroups that leave no core of a GPU without one.
const FULL: usize = 128;
/// Workgroups after which it matters little that some cores get one more than others.
const EVEN: usize = 512;
/// Products that one round of a kernel's loop sums, at least.
const DEPTH: usize = 8;
/// Fewest products whose sum is worth a tile.
const SHALLOW: usize = 16;

/// Tiles by name.
const TILES: [(&str, [usize; 2]); 4] =
    [("64x64", [64, 64]), ("64x128", [64, 128]), ("128x64", [128, 64]), ("128x128", [128, 128])];

/// A choice for one product, or for `batches` alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Products alike, and their m, k and n.
    batches: usize,
    size: [usize; 3],
    /// Rows and columns of a tile.
    tile: [usize; 2],
    /// Parts of the sum, each with a workgroup per tile.
    parts: usize,
    /// Of all parts.
    workgroups: usize,
    /// Of a workgroup's loop.
    rounds: usize,
}

impl Tiling {
    /// The table; `None` where register tiles do as well: short sums, and products with so few rows
    /// or columns that tiles would be mostly empty, if there are enough of the others.
    pub(crate) fn choose(batches: usize, [m, k, n]: [usize; 3]) -> Option<Self> {
        let register_tiles = batches * m.div_ceil(8) * n.div_ceil(8);
        let is_thin = m.min(n) <= 16 && register_tiles >= INVOCATIONS;
        if k < SHALLOW || is_thin {
            return None;
        }
        let side = |len: usize| if len > 64 { 128 } else { 64 };
        let large = Self::of(batches, [m, k, n], [side(m), side(n)]);
        let small = || Self::of(batches, [m, k, n], [64, 64]);
        Some(if large.workgroups >= FULL { large } else { small() })
    }

    fn of(batches: usize, [m, k, n]: [usize; 3], tile: [usize; 2]) -> Self {
        let tiles = batches * m.div_ceil(tile[0]) * n.div_ceil(tile[1]);
        // A part writes its tile and has it read again: that has to be little beside its products.
        let shortest = tile[0] * tile[1] / 64;
        let fewest = k.div_ceil(Launch::MAX_ROUNDS / 2 * DEPTH);
        let parts = EVEN.div_ceil(tiles).min(k / shortest).max(fewest).max(1);
        let rounds = k.div_ceil(parts).div_ceil(DEPTH) + 2;
        let size = [m, k, n];
        Self { batches, size, tile, parts, workgroups: parts * tiles, rounds }
    }

    /// The same sums in tiles of another size.
    fn with_tile(self, tile: [usize; 2]) -> Self {
        let Self { batches, size: [m, _, n], parts, .. } = self;
        let workgroups = parts * batches * m.div_ceil(tile[0]) * n.div_ceil(tile[1]);
        Self { tile, workgroups, ..self }
    }

    /// The tiles that give the same bits, this one first: where a sum has parts, these end at a
    /// multiple of what a larger side leaves room for.
    fn forms(self) -> Vec<(&'static str, [usize; 2])> {
        let side = |[m, n]: [usize; 2]| m.max(n);
        let alike = |tile| self.parts == 1 || side(tile) == side(self.tile);
        let mut forms = TILES.to_vec();
        forms.retain(|(_, tile)| alike(*tile));
        forms.sort_by_key(|(_, tile)| *tile != self.tile);
        forms
    }

    /// The launches of a tiled kernel that makes y, and of the sum over its parts.
    pub(crate) fn launches(self, launch: Launch, y: &Tensor) -> Vec<Launch> {
        let [m, k, n] = self.size;
        let in_tiles = |tile| self.with_tile(tile).with(launch.clone(), y);
        let sizes = [self.batches, m, k, n];
        let tile = tuning::choose(y, &launch.kernel.name, &sizes, &self.forms(), in_tiles);
        in_tiles(tile)
    }

    fn with(self, launch: Launch, y: &Tensor) -> Vec<Launch> {
        let launch = launch
            .param("parts", self.parts)
            .constant("TILE_M", self.tile[0])
            .constant("TILE_N", self.tile[1])
            .rounds(self.rounds)
            .groups(self.workgroups);
        let op = launch.kernel.name.clone();
        reduce::in_parts(&op, self.parts, y, |to| launch.bind("y", to))
    }
}

#[cfg(test)]
mod tests {
    use super::{FULL, Launch, TILES, Tiling};

    /// Tile and parts for one product.
    fn choice(size: [usize; 3]) -> Option<([usize; 2], usize)> {
        Tiling::choose(1, size).map(|tiling| (tiling.tile, tiling.parts))
    }

    #[test]
    fn large_products_get_large_tiles_in_one_part() {
        // 512 channels, 3 x 3, 32 x 32, batch 16.
        assert_eq!(choice([512, 4608, 16_384]), Some(([128, 128], 1)));
        // 64 channels, 256 x 256.
        assert_eq!(choice([64, 576, 16 << 16]), Some(([64, 128], 1)));
        assert_eq!(choice([4096; 3]), Some(([128, 128], 1)));
    }

    #[test]
    fn small_results_of_long_sums_get_parts() {
        // The weight gradients of the same, and 512 channels on planes of 4 x 4.
        assert_eq!(choice([512, 16_384, 4608]), Some(([128, 128], 4)));
        assert_eq!(choice([64, 16 << 16, 576]), Some(([64, 128], 103)));
        assert_eq!(choice([512, 4608, 256]), Some(([128, 128], 18)));
    }

    #[test]
    fn small_results_of_short_sums_get_small_tiles() {
        assert_eq!(choice([128, 1152, 256]), Some(([64, 64], 18)));
        assert_eq!(choice([16, 512, 512]), Some(([64, 64], 8)));
        assert_eq!(choice([1, 16, 1]), Some(([64, 64], 1)));
    }

    #[test]
    fn thin_or_shallow_products_stay_in_registers() {
        // To and from three colours at 256 x 256, and a depthwise convolution.
        assert_eq!(choice([3, 64, 16 << 16]), None);
        assert_eq!(choice([64, 3, 16 << 16]), None);
        assert_eq!(Tiling::choose(64, [1, 9, 4096]), None);
        // But not where that leaves most of the device idle.
        assert_eq!(choice([3, 16 << 16, 64]), Some(([64, 64], 512)));
    }

    #[test]
    fn other_tiles_leave_the_sums_as_they_are() {
        let forms = |size| {
            let forms = Tiling::choose(1, size).expect("tiles").forms();
            forms.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(forms([4096; 3]), ["128x128", "64x64", "64x128", "128x64"]);
        assert_eq!(forms([64, 16 << 16, 576]), ["64x128", "128x64", "128x128"]);
        assert_eq!(forms([128, 1152, 256]), ["64x64"]);
        for (_, tile) in TILES {
            let tiling = Tiling::choose(3, [100, 1152, 300]).expect("tiles").with_tile(tile);
            let tiles = 100usize.div_ceil(tile[0]) * 300usize.div_ceil(tile[1]);
            assert_eq!(tiling.workgroups, 3 * tiling.parts * tiles);
        }
    }

    #[test]
    fn no_sum_is_too_long_for_a_loop() {
        for (m, n) in [(1, 1), (64, 1000), (5000, 5000)] {
            let tiling = Tiling::choose(1, [m, 1 << 24, n]).expect("tiles");
            assert!(tiling.rounds <= Launch::MAX_ROUNDS, "{tiling:?}");
            assert!(tiling.workgroups >= FULL, "{tiling:?}");
        }
    }
}
