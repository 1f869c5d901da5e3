//! Whether a composer can do what is asked of it: the one place that says so.

use super::{Control, Given, Length, Request, Styles};
use crate::{Around, ComposeError, Composer, ComposerSpec};

impl Request {
    /// Whether `composer` can fulfil it. `all` are the composers that there are: those that can are
    /// named where this one cannot.
    ///
    /// # Errors
    /// [`ComposeError`], naming what is wrong.
    pub fn check(&self, composer: &dyn Composer, all: &[&ComposerSpec]) -> Result<(), ComposeError> {
        self.sampling.check()?;
        let spec = composer.spec();
        let able = |can: &dyn Fn(&ComposerSpec) -> bool| {
            let ids: Vec<&str> = all.iter().filter(|spec| can(spec)).map(|spec| spec.id).collect();
            ids.join(", ")
        };
        if let Some(control) = self.controls.asked().find(|control| !composer.can(*control)) {
            let able = able(&|spec| spec.controls.contains(&control));
            if control == Control::Seconds {
                return Err(ComposeError::Seconds { able });
            }
            if spec.controls.contains(&control) && control != Control::Form {
                return Err(ComposeError::Lacking { control: control.noun() });
            }
            return Err(ComposeError::Control { composer: spec.id, control: control.noun(), able });
        }
        if let Some(Err(style)) = self.controls.style.as_ref().map(|text| Styles::read(text, composer.styles())) {
            return Err(ComposeError::Style { style, known: composer.styles().join(", ") });
        }
        if self.controls.strength.is_some() && self.controls.style.is_none() {
            return Err(ComposeError::NoStyle { known: composer.styles().join(", ") });
        }
        let joins = self.given.as_ref().is_some_and(Given::is_to_be_joined);
        let is_open = |control: &Control| match control {
            Control::Form | Control::Seconds | Control::Chords => self.length != Length::AsGiven,
            Control::Style | Control::Strength | Control::Cadences => true,
            Control::Surprise => !joins,
            // Drums have no key.
            Control::Key | Control::Program | Control::Write => joins,
            Control::Register | Control::Velocity => !joins,
            Control::Meter | Control::Density | Control::Polyphony | Control::Instruments | Control::Rhythm => false,
        };
        let settled = self.controls.asked().find(|control| !is_open(control));
        // A rhythm has its own length, metre and form.
        let in_rhythm = |control: &Control| {
            matches!(control, Control::Form | Control::Meter | Control::Seconds | Control::Density | Control::Polyphony)
        };
        let in_rhythm = self.controls.asked().find(|control| self.controls.rhythm.is_some() && in_rhythm(control));
        if let Some(control) = in_rhythm {
            return Err(ComposeError::Settled { control: control.noun() });
        }
        if let (Some(_), Some(control)) = (&self.given, settled) {
            return Err(ComposeError::Settled { control: control.noun() });
        }
        match &self.given {
            None if self.length == Length::AsGiven => return Err(ComposeError::NothingGiven),
            Some(_) if joins && !spec.around.iter().any(|around| around.joins()) => {
                let able = able(&|spec| spec.around.iter().any(|around| around.joins()));
                return Err(ComposeError::CannotJoin { composer: spec.id, able });
            }
            Some(given) if !joins && given.beginning.is_none() && !spec.around.contains(&Around::Cells) => {
                let able = able(&|spec| spec.around.contains(&Around::Cells));
                return Err(ComposeError::CannotArrange { composer: spec.id, able });
            }
            _ => {}
        }
        let (bars, most) = (self.bars(), composer.most_bars());
        if bars == 0 || bars > most {
            return Err(ComposeError::Bars { bars, most });
        }
        match self.prompt() {
            Some(prompt) if prompt.bars() >= bars => Err(ComposeError::PromptTooLong { prompt: prompt.bars(), bars }),
            _ => Ok(()),
        }
    }
}
