//! From a case and its row to the list of what is wrong.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Row;
use super::case::{Case, Context, Outputs};
use super::compare::compare;
use crate::Result;
use crate::autograd;
use crate::device::Device;
use crate::tensor::Tensor;

/// Reasons why the case fails; none where it passes.
pub(super) fn run(case: &Case, row: &Row, device: &Device) -> Result<Vec<String>> {
    let context = Context::new(case, device);
    // A wrong shape panics; for one case out of many that is one failure, not the end.
    let attempt = || judge(case, row, &context);
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Ok(vec![format!("panicked: {text}")])
    })
}

fn judge(case: &Case, row: &Row, context: &Context) -> Result<Vec<String>> {
    let mut found = (row.run)(context)?.0;
    if context.any("post").is_some_and(|post| post == "half_square") {
        let y = found.remove("out.y").map(|y| y.square() * 0.5);
        found.extend(y.map(|y| ("out.y".to_owned(), y)));
    }
    differentiate(case, context, &mut found)?;
    let mut reasons = Vec::new();
    for (name, (shape, want)) in &case.tensors {
        let judged = ["out.", "grad.", "gg.", "after."].iter().any(|kind| name.starts_with(kind));
        if !judged {
            continue;
        }
        let Some(got) = found.get(name) else {
            reasons.push(format!("{name}: not computed"));
            continue;
        };
        if got.shape() != shape {
            reasons.push(format!("{name}: shape {:?}, not {shape:?}", got.shape()));
            continue;
        }
        let difference = compare(&got.to_vec_f64()?, &want.to_f64(), case.rtol, case.atol);
        reasons.extend(difference.map(|difference| format!("{name}: {difference}")));
    }
    Ok(reasons)
}

/// Adds `grad.*` and `gg.*` to what the row computed.
fn differentiate(
    case: &Case,
    context: &Context,
    found: &mut BTreeMap<String, Tensor>,
) -> Result<()> {
    let names = |prefix: &str| -> Vec<String> {
        case.tensors.keys().filter_map(|k| k.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    let (first, second) = (names("grad."), names("gg."));
    if first.is_empty() {
        return Ok(());
    }
    let input = |name: &String| -> Result<Tensor> {
        match name.strip_prefix("param.") {
            Some(key) => context.param(key),
            None => context.x(name),
        }
    };
    let inputs: Vec<Tensor> = first.iter().map(input).collect::<Result<_>>()?;
    let seeds = cotangents(context, found)?;
    let outputs: Vec<&Tensor> = seeds.iter().map(|(y, _)| y).collect();
    let cotangents: Vec<Option<&Tensor>> = seeds.iter().map(|(_, g)| g.as_ref()).collect();
    let wanted: Vec<&Tensor> = inputs.iter().collect();
    let grads = autograd::grad(&outputs, &cotangents, &wanted, !second.is_empty());
    let zeros = |x: &Tensor| Tensor::full(0.0, x.shape(), x.device());
    let or_zeros = |(g, x): (&Option<Tensor>, &Tensor)| g.clone().unwrap_or_else(|| zeros(x));
    let grads: Vec<Tensor> = grads.iter().zip(&inputs).map(or_zeros).collect();
    let named = first.iter().map(|name| format!("grad.{name}")).zip(grads.iter().cloned());
    found.extend(named.filter(|(name, _)| !name.is_empty()));
    if second.is_empty() {
        return Ok(());
    }
    // P = 1/2 of the squared norm of the gradients that `second_order` names.
    let chosen: Vec<String> = (context.any("second_order"))
        .and_then(|list| serde_json::from_value(list.clone()).ok())
        .unwrap_or_default();
    let norm = |name: &String| {
        first.iter().position(|n| n == name).map(|k| grads[k].square().sum_all() * 0.5)
    };
    let p = chosen.iter().filter_map(norm).reduce(|a, b| a + b);
    let xs: Vec<Tensor> = second.iter().map(input).collect::<Result<_>>()?;
    let wanted: Vec<&Tensor> = xs.iter().collect();
    let gg = match p.as_ref().filter(|p| p.is_tracked()) {
        Some(p) => autograd::grad(&[p], &[None], &wanted, false),
        None => vec![None; wanted.len()],
    };
    let gg = gg.iter().zip(&xs).map(or_zeros);
    found.extend(second.iter().map(|name| format!("gg.{name}")).zip(gg));
    Ok(())
}

/// The outputs that the case's loss consists of: the one that attribute `loss` names, or all with a
/// stored cotangent.
fn cotangents(
    context: &Context,
    found: &BTreeMap<String, Tensor>,
) -> Result<Vec<(Tensor, Option<Tensor>)>> {
    if let Some(loss) = context.any("loss").and_then(|loss| loss.as_str()) {
        let y = found.get(&format!("out.{loss}")).filter(|y| y.is_tracked());
        return Ok(y.map(|y| (y.clone(), None)).into_iter().collect());
    }
    let mut seeds = Vec::new();
    for (name, (shape, numbers)) in &context.case.tensors {
        let Some(name) = name.strip_prefix("gout.") else { continue };
        if let Some(y) = found.get(&format!("out.{name}")).filter(|y| y.is_tracked()) {
            let values: Vec<f32> = numbers.to_f64().into_iter().map(|v| v as f32).collect();
            seeds.push((y.clone(), Some(Tensor::from_slice(&values, shape, &context.device))));
        }
    }
    Ok(seeds)
}

/// For rows: the outputs by name.
impl FromIterator<(String, Tensor)> for Outputs {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(outputs: I) -> Self {
        outputs.into_iter().fold(Self::default(), |all, (name, y)| all.out(&name, y))
    }
}
