//! Going on from a model of other music: which of its classes ours are.

use super::layout::{Axis, Layout, choice};
use cantus_encoding::note_events::Vocabulary;
use cantus_model::transplant::Classes;

/// A vocabulary beside the one that a model had before.
pub(super) struct Base<'a> {
    pub own: (&'a Vocabulary, &'a Layout),
    pub old: (&'a Vocabulary, &'a Layout),
}

impl Base<'_> {
    /// What the classes along an axis of a parameter are in the old model; `None` where they are the same.
    pub fn classes(&self, name: &str, axis: usize) -> Option<Classes> {
        let (own, old) = (self.own.1, self.old.1);
        if (name, axis) == ("lstms.0.w_ih", 1) {
            return Some(self.all(&own.input_axes(), &old.input_axes()));
        }
        let (part, rest) = name.strip_prefix("head.")?.split_once('.')?;
        let v: usize = rest.split('.').next()?.parse().ok().filter(|v| *v < choice::COUNT)?;
        match (part, axis) {
            // Of a choice that sees nothing a row stays that is never looked at.
            ("known", 0) if !own.known_axes(v).is_empty() => Some(self.all(&own.known_axes(v), &old.known_axes(v))),
            ("outputs", 0) => Some(self.all(&[own.choice_axis(v)], &[old.choice_axis(v)])),
            _ => None,
        }
    }

    /// Axes one after another.
    fn all(&self, own: &[(Axis, usize)], old: &[(Axis, usize)]) -> Classes {
        let mut begins = 0;
        let mut classes = Vec::new();
        for ((axis, size), (_, old_size)) in own.iter().zip(old) {
            let known = |class: usize| self.class(*axis, class).filter(|class| class < old_size);
            // What stands behind the classes of an axis says that there is none.
            let count = self.count(*axis).unwrap_or(*size);
            let none = |class: usize| (class >= count).then(|| old_size.checked_sub(1)).flatten();
            classes.extend((0..*size).map(|class| none(class).or_else(|| known(class)).map(|class| begins + class)));
            begins += old_size;
        }
        classes
    }

    /// Classes of an axis that say something, where not all do.
    fn count(&self, axis: Axis) -> Option<usize> {
        match axis {
            Axis::Same => None,
            Axis::Places => Some(self.own.0.clock().places() as usize),
            Axis::Instruments => Some(self.own.0.instruments().len()),
            Axis::Levels => Some(self.own.0.velocities().len()),
            Axis::Styles => Some(self.own.1.styles()),
        }
    }

    fn class(&self, axis: Axis, class: usize) -> Option<usize> {
        let ((own, _), (old, _)) = (self.own, self.old);
        match axis {
            Axis::Same => Some(class),
            Axis::Places => {
                let (own, old) = (own.clock().places() as usize, old.clock().places() as usize);
                (class * old).is_multiple_of(own).then(|| class * old / own)
            }
            // The nearest one, unless it is another's already: a viola begins as a violin.
            Axis::Instruments => {
                let nearest = |class: usize| old.instrument(*own.instruments().get(class)?);
                let (at, is_itself) = nearest(class)?;
                let is_taken = (0..own.instruments().len()).any(|other| {
                    let closer = |is_other_itself: bool| !is_itself && (is_other_itself || other < class);
                    other != class && nearest(other).is_some_and(|(same, itself)| same == at && closer(itself))
                });
                (!is_taken).then_some(usize::from(at))
            }
            // Who had one loudness knows nothing of several.
            Axis::Levels if old.velocities().len() == 1 && own.velocities().len() > 1 => None,
            Axis::Levels => Some(usize::from(old.level(own.velocity(u8::try_from(class).ok()?)))),
            // Folders of other music.
            Axis::Styles => None,
        }
    }
}
