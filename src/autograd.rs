//! The tape and reverse mode of any order.
//!
//! A tensor that depends on a tracked one carries a `Node`: the operation and its inputs. Nodes
//! are numbered as they are made, so walking them by falling number is a topological order. The
//! rules ([`Op::vjp`]) are written with operations; when their results are recorded again
//! (`create_graph`), gradients can be differentiated like anything else.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ops::Op;
use crate::ops::pointwise::Deferred;
use crate::tensor::{Shape, Tensor};

/// A tensor's place on the tape.
pub(crate) struct Node {
    id: u64,
    op: Option<Arc<dyn Op>>,
    inputs: Vec<Tensor>,
}

impl Node {
    fn new(op: Option<Arc<dyn Op>>, inputs: Vec<Tensor>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), op, inputs })
    }

    pub(crate) fn leaf() -> Arc<Self> {
        Self::new(None, Vec::new())
    }
}

impl Drop for Node {
    /// Frees a long chain without recursion.
    fn drop(&mut self) {
        let mut orphans = std::mem::take(&mut self.inputs);
        while let Some(tensor) = orphans.pop() {
            if let Some(mut node) = tensor.into_node().and_then(Arc::into_inner) {
                orphans.append(&mut node.inputs);
            }
        }
    }
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

fn with_recording<T>(on: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(on));
    f()
}

/// Runs `f` without recording. PyTorch: `torch.no_grad`.
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    with_recording(false, f)
}

/// Runs `f` with recording, also inside [`no_grad`].
pub(crate) fn recorded<T>(f: impl FnOnce() -> T) -> T {
    with_recording(true, f)
}

/// The node of a fresh result, where one of the inputs is tracked.
pub(crate) fn record(op: &Arc<dyn Op>, inputs: &[&Tensor]) -> Option<Arc<Node>> {
    let wanted = RECORDING.get() && inputs.iter().any(|x| x.is_tracked());
    wanted.then(|| Node::new(Some(op.clone()), inputs.iter().map(|&x| x.clone()).collect()))
}

/// Gradients of `sum over k of <cotangents[k], outputs[k]>` with respect to each of `inputs`;
/// `None` where the outputs do not depend on an input. A missing cotangent counts as ones.
/// With `create_graph` the results are recorded and can be differentiated again.
/// PyTorch: `torch.autograd.grad`.
///
/// # Panics
/// When an input is not tracked, or the cotangents do not fit the outputs.
#[track_caller]
pub fn grad(
    outputs: &[&Tensor],
    cotangents: &[Option<&Tensor>],
    inputs: &[&Tensor],
    create_graph: bool,
) -> Vec<Option<Tensor>> {
    assert_eq!(outputs.len(), cotangents.len(), "one cotangent per output");
    let seeds = outputs.iter().zip(cotangents).filter_map(|(y, g)| {
        let ones = || Tensor::full(1.0, y.shape(), y.device());
        if let Some(g) = g {
            assert_eq!(g.shape(), y.shape(), "cotangent of another shape than its output");
        }
        Some((y.node()?.id, g.map_or_else(ones, Tensor::clone)))
    });
    with_recording(create_graph, || {
        let mut grads = Sums::default();
        for (id, g) in seeds {
            grads.add(id, g.into());
        }
        differentiate(collect(outputs), grads, inputs)
    })
}

/// [`grad`] of one output, off the tape. What the output was computed from is let go of on the way:
/// where nobody else holds it, memory falls as the pass goes back.
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn backward(y: Tensor, cotangent: Option<&Tensor>, inputs: &[&Tensor]) -> Vec<Option<Tensor>> {
    let g = cotangent.map_or_else(|| Tensor::full(1.0, y.shape(), y.device()), Tensor::clone);
    assert_eq!(g.shape(), y.shape(), "cotangent of another shape than its output");
    let mut grads = Sums::default();
    if let Some(node) = y.node() {
        grads.add(node.id, g.into());
    }
    let visited = collect(&[&y]);
    drop(y);
    no_grad(|| differentiate(visited, grads, inputs))
}

/// Gradients with respect to the inputs from those of outputs.
#[track_caller]
fn differentiate(
    visited: BTreeMap<u64, Tensor>,
    mut grads: Sums,
    inputs: &[&Tensor],
) -> Vec<Option<Tensor>> {
    let id = |x: &&Tensor| x.node().expect("gradient asked for a tensor that is not tracked").id;
    let wanted: Vec<u64> = inputs.iter().map(id).collect();
    let on_path = on_path(&visited, &wanted);
    walk(visited, &wanted, &on_path, &mut grads);
    let whole = |(id, x): (&u64, &&Tensor)| Some(grads.get(*id)?.expand(x.shape()));
    wanted.iter().zip(inputs).map(whole).collect()
}

/// Every tensor that the outputs were computed from, by node number.
fn collect(outputs: &[&Tensor]) -> BTreeMap<u64, Tensor> {
    let mut visited = BTreeMap::new();
    let mut pending: Vec<Tensor> = outputs.iter().map(|&y| y.clone()).collect();
    while let Some(tensor) = pending.pop() {
        let Some(node) = tensor.node().cloned() else { continue };
        if visited.insert(node.id, tensor).is_none() {
            pending.extend(node.inputs.iter().cloned());
        }
    }
    visited
}

/// The nodes through which an output depends on a wanted input.
fn on_path(visited: &BTreeMap<u64, Tensor>, wanted: &[u64]) -> HashSet<u64> {
    let mut on_path: HashSet<u64> = wanted.iter().copied().collect();
    for (&id, tensor) in visited {
        let depends = |x: &Tensor| x.node().is_some_and(|n| on_path.contains(&n.id));
        if tensor.node().expect("visited").inputs.iter().any(depends) {
            on_path.insert(id);
        }
    }
    on_path
}

/// Goes back from the newest to the oldest, and keeps neither tensors nor gradients that it is done
/// with.
fn walk(
    mut visited: BTreeMap<u64, Tensor>,
    wanted: &[u64],
    on_path: &HashSet<u64>,
    grads: &mut Sums,
) {
    while let Some((id, y)) = visited.pop_last() {
        let node = y.node().expect("visited");
        let Some(op) = &node.op else { continue };
        let is_wanted = wanted.contains(&id);
        if op.is_view() && !is_wanted {
            let x = &node.inputs[0];
            if let Some(g) = grads.take_alone(id, x.shape()) {
                grads.add(x.node().expect("tracked").id, g);
                continue;
            }
        }
        let Some(g) = (if is_wanted { grads.get(id) } else { grads.take(id) }) else { continue };
        let needs: Vec<bool> = (node.inputs.iter())
            .map(|x| x.node().is_some_and(|n| on_path.contains(&n.id)))
            .collect();
        if !needs.contains(&true) {
            continue;
        }
        let g = if op.takes_broadcast() { g } else { g.expand(y.shape()) };
        let found = op.deferred_vjp(&node.inputs, &y, &g, &needs);
        assert_eq!(found.len(), needs.len(), "{}: vjp needs one entry per input", op.name());
        for ((x, g), needed) in node.inputs.iter().zip(found).zip(needs) {
            if let (Some(g), true) = (g, needed) {
                grads.add(x.node().expect("needed").id, summed(g, x.shape()));
            }
        }
    }
}

/// The gradient of a tensor of that shape: summed over the axes that broadcasting spread. One that
/// is the same all along an axis stays of size 1 there.
fn summed(g: Deferred, shape: &Shape) -> Deferred {
    let found = g.shape();
    let missing = found.len().saturating_sub(shape.len());
    let own = |k: usize| found[k] == 1 || k >= missing && shape[k - missing] != 1;
    let spread: Vec<usize> = (0..found.len()).filter(|&k| !own(k)).collect();
    if missing == 0 && spread.is_empty() {
        return g;
    }
    let sum = g.sum(&spread);
    let kept = sum.shape()[missing..].to_vec();
    sum.reshape(kept).into()
}

/// Gradients that wait to be added up in one pass. Each number of them is a kernel of its own.
const MOST_PARTS: usize = 4;

/// Gradients by node. What reaches a node from its users is computed and added up in one pass where
/// it can be.
#[derive(Default)]
struct Sums(HashMap<u64, Vec<Deferred>>);

impl Sums {
    fn add(&mut self, id: u64, g: Deferred) {
        let parts = self.0.entry(id).or_default();
        parts.push(g.settled());
        if parts.len() == MOST_PARTS {
            *parts = vec![Deferred::sum_of(parts).into()];
        }
    }

    fn get(&mut self, id: u64) -> Option<Tensor> {
        let parts = self.0.get_mut(&id)?;
        let sum = Deferred::sum_of(parts);
        *parts = vec![sum.clone().into()];
        Some(sum)
    }

    fn take(&mut self, id: u64) -> Option<Tensor> {
        self.0.remove(&id).map(|parts| Deferred::sum_of(&parts))
    }

    /// What reached a node from its only user, under another shape and still not computed, where
    /// that is possible.
    fn take_alone(&mut self, id: u64, shape: &Shape) -> Option<Deferred> {
        let [only] = &self.0.get(&id)?[..] else { return None };
        let reshaped = only.reshaped(shape)?;
        self.0.remove(&id);
        Some(reshaped)
    }
}

/// The rule of a fused operation from its definition in other operations: replays `definition` on
/// aliases of `x` and differentiates the replay, recorded where the outer pass is.
pub fn vjp_of(
    definition: impl FnOnce(&[Tensor]) -> Tensor,
    x: &[Tensor],
    g: &Tensor,
    needs: &[bool],
) -> Vec<Option<Tensor>> {
    let outer = RECORDING.get();
    // Aliases keep the two gradients of a tensor that was passed twice apart.
    let aliases: Vec<Tensor> = x
        .iter()
        .zip(needs)
        .map(|(x, &needed)| match (needed, outer && x.is_tracked()) {
            (false, _) => x.clone(),
            (true, true) => x.alias(),
            (true, false) => x.tracked(),
        })
        .collect();
    let y = with_recording(true, || definition(&aliases));
    let wanted: Vec<&Tensor> =
        aliases.iter().zip(needs).filter(|(_, needed)| **needed).map(|(x, _)| x).collect();
    let mut found = grad(&[&y], &[Some(g)], &wanted, outer).into_iter();
    needs.iter().map(|&needed| if needed { found.next().flatten() } else { None }).collect()
}
