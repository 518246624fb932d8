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
    let grads = gradients(&cotangents(context, found)?, &inputs, !second.is_empty());
    let named = first.iter().map(|name| format!("grad.{name}")).zip(grads.iter().cloned());
    found.extend(named.filter(|(name, _)| !name.is_empty()));
    if second.is_empty() {
        return Ok(());
    }
    let chosen: Vec<String> = (context.any("second_order"))
        .and_then(|list| serde_json::from_value(list.clone()).ok())
        .unwrap_or_default();
    let place = |name: &String| first.iter().position(|n| n == name);
    let p = half_square(chosen.iter().filter_map(place).map(|k| &grads[k]));
    let xs: Vec<Tensor> = second.iter().map(input).collect::<Result<_>>()?;
    let p: Vec<_> = p.into_iter().map(|p| (p, None)).collect();
    let gg = gradients(&p, &xs, false);
    found.extend(second.iter().map(|name| format!("gg.{name}")).zip(gg));
    Ok(())
}

/// Gradients of the sum over `seeds` of <cotangent, output>; zeros for an input that it does not
/// reach.
pub(super) fn gradients(
    seeds: &[(Tensor, Option<Tensor>)],
    inputs: &[Tensor],
    create_graph: bool,
) -> Vec<Tensor> {
    let outputs: Vec<&Tensor> = seeds.iter().map(|(y, _)| y).collect();
    let cotangents: Vec<Option<&Tensor>> = seeds.iter().map(|(_, g)| g.as_ref()).collect();
    let wanted: Vec<&Tensor> = inputs.iter().collect();
    let found = autograd::grad(&outputs, &cotangents, &wanted, create_graph);
    let zeros = |x: &Tensor| Tensor::full(0.0, x.shape(), x.device());
    found.into_iter().zip(inputs).map(|(g, x)| g.unwrap_or_else(|| zeros(x))).collect()
}

/// Half the squared norm of all of them together: what second order differentiates.
pub(super) fn half_square<'a>(x: impl Iterator<Item = &'a Tensor>) -> Option<Tensor> {
    x.map(|x| x.square().sum_all() * 0.5).reduce(|a, b| a + b)
}

/// The outputs that the case's loss consists of: the one that attribute `loss` names, or all with a
/// stored cotangent, or where there is none the output `loss`.
fn cotangents(
    context: &Context,
    found: &BTreeMap<String, Tensor>,
) -> Result<Vec<(Tensor, Option<Tensor>)>> {
    let has_cotangent = context.case.tensors.keys().any(|name| name.starts_with("gout."));
    let named = context.any("loss").and_then(|loss| loss.as_str());
    if let Some(loss) = named.or((!has_cotangent).then_some("loss")) {
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
