//! A network that begins with the parameters of another one, whose vocabulary differs: class by class, as far as the two know the same.

use crate::checkpoint::misfit;
use crate::{ModelError, ModelFile};
use burn::module::Module;
use cantus_nn::params::{load_parameters, named_parameters};
use std::collections::BTreeMap;

/// What each class of an axis is among the classes of the old network; `None` where that did not know it.
pub type Classes = Vec<Option<usize>>;

/// `network` with the parameters of `base`; what is new in it stays as it was. `classes` says for an axis of a parameter, by its name,
/// what the old classes are; `None` where they are the same.
///
/// # Errors
/// [`ModelError::Shape`], where a parameter is missing or an axis that should be the same is not.
pub fn transplant<M: Module>(
    network: M,
    base: &ModelFile,
    classes: impl Fn(&str, usize) -> Option<Classes>,
) -> Result<M, ModelError> {
    let mut all = BTreeMap::new();
    for (name, shape, mut values) in named_parameters(&network) {
        let found = base.tensors.get(&name);
        let other =
            || ModelError::Shape { name: name.clone(), expected: shape.clone(), found: found.map(|t| t.shape.clone()) };
        let old = found.filter(|old| old.shape.len() == shape.len()).ok_or_else(other)?;
        let mut axes = Vec::with_capacity(shape.len());
        for (axis, (new, old)) in shape.iter().zip(&old.shape).enumerate() {
            let of_axis = match classes(&name, axis) {
                Some(of_axis) => of_axis,
                None if new == old => (0..*new).map(Some).collect(),
                None => return Err(other()),
            };
            if of_axis.len() != *new || of_axis.iter().flatten().any(|class| class >= old) {
                return Err(other());
            }
            axes.push(of_axis);
        }
        for (at, value) in values.iter_mut().enumerate() {
            if let Some(old_at) = place_of(at, &shape, &axes, &old.shape) {
                *value = old.values[old_at];
            }
        }
        all.insert(name, (shape, values));
    }
    load_parameters(network, |name| all.remove(name)).map_err(misfit)
}

/// Where the value `at` of a tensor stands in the old one; `None` where it is new along any axis.
fn place_of(at: usize, shape: &[usize], axes: &[Classes], old_shape: &[usize]) -> Option<usize> {
    let (mut rest, mut place, mut stride) = (at, 0, 1);
    for axis in (0..shape.len()).rev() {
        place += axes[axis][rest % shape[axis]]? * stride;
        rest /= shape[axis];
        stride *= old_shape[axis];
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FORMAT_VERSION, TensorData};
    use burn::tensor::Device;
    use cantus_nn::linear::Linear;
    use cantus_nn::random::seeded;

    fn base() -> ModelFile {
        let tensor = |shape: &[usize], values: &[f32]| TensorData { shape: shape.to_vec(), values: values.to_vec() };
        let header = serde_json::json!({
            "format": FORMAT_VERSION, "composer": "test", "composer_version": 1, "settings": {}, "encoding": {}, "corpus": {},
            "created_by": "test",
        });
        let header = serde_json::from_value(header).unwrap();
        let tensors = [
            ("weight".to_owned(), tensor(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("bias".to_owned(), tensor(&[2], &[7.0, 8.0])),
        ];
        ModelFile { header, tensors: BTreeMap::from(tensors) }
    }

    #[test]
    fn what_both_know_is_taken_and_the_rest_stays() {
        let device = Device::flex();
        // Three classes, of which the first is the second one's old self; the second input is new.
        let begun = Linear::new(2, 3, &mut seeded(1), &device);
        let before = named_parameters(&begun);
        let classes =
            |_: &str, axis: usize| Some(if axis == 0 { vec![Some(1), None, Some(0)] } else { vec![Some(2), None] });
        let after = named_parameters(&transplant(begun, &base(), classes).unwrap());
        let [weight, bias] = &after[..] else { panic!("two parameters") };
        assert_eq!(weight.2[0], 6.0);
        assert_eq!(weight.2[4], 3.0);
        for stays in [1, 2, 3, 5] {
            assert_eq!(weight.2[stays].to_bits(), before[0].2[stays].to_bits());
        }
        assert_eq!(bias.2, [8.0, before[1].2[1], 7.0]);
    }

    #[test]
    fn other_sizes_that_nothing_explains_are_refused_by_name() {
        let network = || Linear::new(2, 3, &mut seeded(1), &Device::flex());
        let error = transplant(network(), &base(), |_, _| None).unwrap_err();
        assert!(matches!(&error, ModelError::Shape { name, .. } if name == "weight"), "{error}");
        let beyond = |_: &str, axis: usize| Some(vec![Some(9); 3 - axis]);
        assert!(matches!(transplant(network(), &base(), beyond), Err(ModelError::Shape { .. })));
    }
}
