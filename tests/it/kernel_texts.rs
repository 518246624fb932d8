//! Every kernel text there is: those below `shaders/`, and a wide sample of what codegen prints, at
//! all values that operations give to `override` constants.

use std::path::Path;

use semgan::device::Kernel;
use semgan::ops::pointwise::{self, Expr};

/// Values of `override` constants that operations choose beside the defaults.
pub(crate) const CHOSEN: [(&str, f64); 8] = [
    ("DILATED", 1.0),
    ("DOWN", 2.0),
    ("ODD", 1.0),
    ("PRODUCT", 1.0),
    ("STEP", 2.0),
    ("TILE_M", 64.0),
    ("TILE_N", 64.0),
    ("UP", 2.0),
];

/// Every kernel with every choice of values, together and apart; none first.
pub(crate) fn all() -> Vec<(Kernel, Vec<(&'static str, f64)>)> {
    let with_choices = |k: Kernel| {
        let declares = |name: &str| k.source.contains(&format!("override {name}:"));
        let mut choices = vec![Vec::new()];
        for chosen in CHOSEN.into_iter().filter(|(name, _)| declares(name)) {
            let with = choices.iter().map(|choice| [&choice[..], &[chosen]].concat());
            choices.extend(with.collect::<Vec<_>>());
        }
        choices.into_iter().map(move |choice| (k.clone(), choice))
    };
    hand_written().into_iter().chain(generated()).flat_map(with_choices).collect()
}

/// Sizes of subgroups that the texts depending on them are tried with.
const SUBGROUPS: [u32; 2] = [8, 4];

/// Every kernel file below `shaders/`; helpers have no entry point of their own.
pub(crate) fn hand_written() -> Vec<Kernel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut pending = vec![folder.clone()];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = path.read_dir().expect("a folder").map(|e| e.expect("an entry").path());
            pending.extend(entries.filter(|p| *p != folder.join("common")));
        } else {
            let name = path.strip_prefix(&folder).expect("below").with_extension("");
            let name = name.to_str().expect("UTF-8").replace('\\', "/");
            let source = std::fs::read_to_string(&path).expect("readable");
            let depends = source.contains("const SUBGROUP:");
            let kernel = Kernel::new(name, source);
            match depends {
                true => found.extend(SUBGROUPS.map(|size| kernel.clone().for_subgroups_of(size))),
                false => found.push(kernel),
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 4, "no kernels below {}", folder.display());
    found
}

/// Values, first and second derivatives of a wide sample of expressions.
fn generated() -> Vec<Kernel> {
    let [x, y, z] = Expr::inputs();
    let unary: [fn(&Expr) -> Expr; 17] = [
        |x| -x.clone(),
        Expr::abs,
        Expr::sign,
        Expr::exp,
        Expr::log,
        Expr::sqrt,
        Expr::rsqrt,
        Expr::recip,
        Expr::sigmoid,
        Expr::tanh,
        Expr::softplus,
        Expr::sin,
        Expr::cos,
        Expr::acos,
        Expr::floor,
        Expr::round,
        |x| x.powf(1.7),
    ];
    let mut sample: Vec<Expr> = unary.map(|f| f(&x)).to_vec();
    sample.extend(unary.map(|f| f(&(x.clone() * 0.3 + y.clone())) * z.clone()));
    sample.extend([
        x.clone() + y.clone(),
        x.clone() - y.clone(),
        x.clone() * y.clone(),
        x.clone() / y.clone(),
        x.max(y.clone()),
        x.min(y.clone()),
        x.greater(y.clone()),
        x.equal(y.clone()),
        x.greater(0.0).select(y.clone(), z.clone()),
        (x.clone() + y.clone() * 0.1 + z.clone()).leaky_relu(0.2) * 2f64.sqrt(),
        x.powf(-3.0) + 1.0,
        (0..7).map(|k| Expr::input(k) * (k as f64 + 0.5)).reduce(|a, b| a + b).expect("seven"),
    ]);
    let slopes = |all: &[Expr]| -> Vec<Expr> {
        all.iter().flat_map(|e| (0..3).filter_map(|k| e.diff(k))).collect()
    };
    let first = slopes(&sample);
    let second = slopes(&first);
    let all = sample.into_iter().chain(first).chain(second);
    all.flat_map(|e| pointwise::kernels(&e)).collect()
}
