//! Batches, prepared ahead of the device.

#![expect(clippy::disallowed_methods, reason = "training only")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use rayon::prelude::*;

use super::{Dataset, EpochOrder};
use crate::{Error, Result};

/// Batches that wait for the device. More would only hide a disk that is too slow on average.
const BATCHES_AHEAD: usize = 3;

/// The images of one training step.
#[derive(Debug)]
pub struct Batch {
    /// `[N, 3, res, res]`, from -1 to 1.
    pub images: Vec<f32>,
    /// Which pictures of the set they are, N.
    pub pictures: Vec<usize>,
    /// Number of images shown before the first of these.
    pub first: u64,
}

/// A thread that prepares batch after batch; dropping the loader stops it.
///
/// Images come in the order of the [`EpochOrder`], whatever the number of threads and wherever the
/// loader started.
pub struct Loader {
    batches: Option<Receiver<Result<Batch>>>,
    thread: Option<JoinHandle<()>>,
    dataset: Arc<Dataset>,
}

impl Loader {
    /// Starts to prepare batches, the first of which begins with image `first` since the start of
    /// training; one that begins with image n has `size(n)` images.
    ///
    /// # Panics
    /// If the order is one for a set of another size.
    pub fn new(
        dataset: Arc<Dataset>,
        order: EpochOrder,
        first: u64,
        size: impl Fn(u64) -> usize + Send + 'static,
    ) -> Self {
        assert_eq!(order.len, dataset.len(), "the order is one for another set");
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let set = Arc::clone(&dataset);
        let thread = thread::spawn(move || {
            let mut first = first;
            loop {
                let prepared = prepare(&set, order, size(first), first);
                let failed = prepared.is_err();
                first += size(first) as u64;
                if sender.send(prepared).is_err() || failed {
                    break;
                }
            }
        });
        Self { batches: Some(batches), thread: Some(thread), dataset }
    }

    /// The batch of the next step; waits for it where the pictures come slower than the steps.
    /// Nothing follows an error.
    pub fn next_batch(&self) -> Result<Batch> {
        let received = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        received.unwrap_or_else(|| {
            Err(Error::dataset(self.dataset.path(), "loading stopped after an earlier error"))
        })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Closing the channel wakes the thread if it waits to send.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported already, and a drop must not raise it again.
            let _ = thread.join();
        }
    }
}

fn prepare(dataset: &Dataset, order: EpochOrder, batch: usize, first: u64) -> Result<Batch> {
    let image_len = 3 * dataset.res() * dataset.res();
    let mut images = vec![0.0; batch * image_len];
    images.par_chunks_exact_mut(image_len).enumerate().try_for_each(|(i, image)| {
        let n = first + i as u64;
        dataset.write(order.index(n), order.mirrored(n), image)
    })?;
    let pictures = (first..).take(batch).map(|n| order.index(n)).collect();
    Ok(Batch { images, pictures, first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::picture::tests::encoded;
    use image::{DynamicImage, ImageFormat, Luma};

    /// Picture i is grey level 10 i with a brighter left half.
    fn dataset(dir: &std::path::Path, len: u8) -> Arc<Dataset> {
        for i in 0..len {
            let pixel = |x: u32, _| Luma([i * 10 + u8::from(x < 2)]);
            let picture = DynamicImage::from(image::GrayImage::from_fn(4, 4, pixel));
            let bytes = encoded(&picture, ImageFormat::Png);
            std::fs::write(dir.join(format!("{i:02}.png")), bytes).unwrap();
        }
        Arc::new(Dataset::open(dir, 4).unwrap())
    }

    #[test]
    fn batches_follow_the_order_across_an_epoch_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let set = dataset(dir.path(), 7);
        let order = EpochOrder { len: 7, seed: 5, mirror: true };
        let loader = Loader::new(Arc::clone(&set), order, 0, |_| 3);
        let batches: Vec<_> = (0..6).map(|_| loader.next_batch().unwrap()).collect();
        for (step, batch) in batches.iter().enumerate() {
            assert_eq!(batch.first, 3 * step as u64);
            for (n, image) in (batch.first..).zip(batch.images.chunks(3 * 4 * 4)) {
                let mut want = [0.0; 3 * 4 * 4];
                set.write(order.index(n), order.mirrored(n), &mut want).unwrap();
                assert_eq!(image, want);
            }
        }
        let resumed = Loader::new(set, order, 12, |_| 3);
        assert_eq!(resumed.next_batch().unwrap().images, batches[4].images);
    }

    #[test]
    fn dropping_a_loader_stops_its_thread() {
        let dir = tempfile::tempdir().unwrap();
        let set = dataset(dir.path(), 2);
        let order = EpochOrder { len: 2, seed: 0, mirror: false };
        drop(Loader::new(Arc::clone(&set), order, 0, |_| 2));
        assert_eq!(Arc::strong_count(&set), 1, "the thread has given its share back");
    }
}
