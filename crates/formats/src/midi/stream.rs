//! What happens on one channel beside notes, from whatever track.
//!
//! The tracks of format 1 are one stream: a program, a pedal, a controller acts on its channel, and so on every part that plays
//! there. Where two tracks speak at one tick, a part believes its own, as the file gives no order between them.

use super::canonical::{join, last_wins};
use cantus_score::{Control, PedalSpan, Program, Ticks};

/// An event and the track that it stands in.
#[derive(Clone, Copy)]
struct Event<T> {
    at: u64,
    track: u32,
    what: T,
}

/// A controller, or all of them at once.
#[derive(Clone, Copy)]
enum Setting {
    To(Control),
    /// Controller 121, "reset all controllers".
    Controllers,
    /// A system reset.
    Everything,
}

/// The events of a channel of a port.
#[derive(Clone, Default)]
pub(super) struct Stream {
    programs: Vec<Event<Program>>,
    settings: Vec<Event<Setting>>,
    pedal: Vec<Event<bool>>,
    /// When all notes end, whoever struck them.
    silences: Vec<u64>,
    /// When the last track that plays here ends.
    pub end: u64,
    /// How many parts are yet to get their share.
    pub parts_left: u32,
}

/// What a part gets from its channel.
#[derive(Default)]
pub(super) struct Share {
    pub programs: Vec<(Ticks, Program)>,
    pub controls: Vec<(Ticks, Control)>,
    pub pedal: Vec<PedalSpan>,
}

impl Stream {
    pub fn program(&mut self, at: u64, track: u32, program: Program) {
        self.programs.push(Event { at, track, what: program });
    }

    pub fn control(&mut self, at: u64, track: u32, control: Control) {
        if self.settings.is_empty() {
            self.settings.reserve(16);
        }
        self.settings.push(Event { at, track, what: Setting::To(control) });
    }

    pub fn reset_controllers(&mut self, at: u64, track: u32) {
        self.settings.push(Event { at, track, what: Setting::Controllers });
    }

    pub fn pedal(&mut self, at: u64, track: u32, down: bool) {
        if self.pedal.is_empty() {
            self.pedal.reserve(64);
        }
        self.pedal.push(Event { at, track, what: down });
    }

    pub fn silence(&mut self, at: u64) {
        self.silences.push(at);
    }

    /// After a system reset, a channel is as at the beginning.
    pub fn reset(&mut self, times: &[u64]) {
        /// Before everything of its tick, and of no track's own.
        fn first<T: Copy>(events: &mut Vec<Event<T>>, times: impl Iterator<Item = u64>, what: T) {
            let resets = times.map(|at| Event { at, track: u32::MAX, what });
            *events = resets.chain(events.iter().copied()).collect();
        }
        if times.is_empty() {
            return;
        }
        let begun = self.programs.iter().map(|event| event.at).min().unwrap_or(u64::MAX);
        first(&mut self.programs, times.iter().copied().filter(|at| begun < *at), Program::PIANO);
        first(&mut self.settings, times.iter().copied(), Setting::Everything);
        first(&mut self.pedal, times.iter().copied(), false);
        self.silences.extend(times);
    }

    /// When all notes end, in order of time.
    pub fn silences(&mut self) -> &[u64] {
        self.silences.sort_unstable();
        &self.silences
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.programs.len() + self.settings.len() + self.pedal.len()
    }

    /// Adds what was said of the channel elsewhere.
    pub fn take_in(&mut self, mut other: Stream) {
        self.programs.append(&mut other.programs);
        self.settings.append(&mut other.settings);
        self.pedal.append(&mut other.pedal);
        self.silences.append(&mut other.silences);
        self.end = self.end.max(other.end);
    }

    /// What a part of `track` gets. The vectors are the events' own, so that the only part of a channel gets it for nothing.
    pub fn into_share(mut self, track: u32) -> Share {
        order(&mut self.programs, track);
        let mut programs = self.programs.into_iter().map(|event| (Ticks(event.at), event.what)).collect();
        last_wins(&mut programs);
        order(&mut self.settings, track);
        // The pedal is nobody's own.
        order(&mut self.pedal, u32::MAX - 1);
        Share { programs, controls: controls(self.settings), pedal: spans(&self.pedal, self.end) }
    }
}

fn controls(events: Vec<Event<Setting>>) -> Vec<(Ticks, Control)> {
    if events.iter().all(|event| matches!(event.what, Setting::To(_))) {
        let plain = |event: Event<Setting>| match event.what {
            Setting::To(control) => Some((Ticks(event.at), control)),
            Setting::Controllers | Setting::Everything => None,
        };
        return events.into_iter().filter_map(plain).collect();
    }
    let mut controls = Vec::with_capacity(events.len());
    let mut state = State::default();
    for event in events {
        let at = Ticks(event.at);
        match event.what {
            Setting::To(control) => {
                state.set(control);
                controls.push((at, control));
            }
            Setting::Controllers => state.reset(is_reset, |control| controls.push((at, control))),
            Setting::Everything => state.reset(|_| true, |control| controls.push((at, control))),
        }
    }
    controls
}

fn spans(pedal: &[Event<bool>], end: u64) -> Vec<PedalSpan> {
    let mut spans = Vec::with_capacity(pedal.len().div_ceil(2));
    let mut down = None;
    for event in pedal {
        match (down, event.what) {
            (None, true) => down = Some(event.at),
            (Some(since), false) => {
                spans.push(PedalSpan { down: Ticks(since), up: Ticks(event.at) });
                down = None;
            }
            _ => {}
        }
    }
    spans.extend(down.map(|since| PedalSpan { down: Ticks(since), up: Ticks(end) }));
    join(spans)
}

/// In order of time, the events of `own` track last in each tick.
fn order<T>(events: &mut [Event<T>], own: u32) {
    let key = |event: &Event<T>| (event.at, event.track == own);
    if !events.is_sorted_by_key(key) {
        events.sort_by_key(key);
    }
}

/// What "reset all controllers" sets back (MIDI Association, RP-015): neither volume nor place nor bank.
fn is_reset(number: u8) -> bool {
    matches!(number, 1 | 2 | 4 | 11 | 33 | 65..=67 | 98..=101)
}

/// A channel's settings while they are read, so that a reset can be said in controllers.
struct State {
    controllers: [u8; 128],
    bend: i16,
    pressure: u8,
    /// Whether a parameter was given another range of bends.
    has_range: bool,
}

const fn default_of(number: usize) -> u8 {
    match number {
        7 => 100,
        8 | 10 => 64,
        11 | 98..=101 => 127,
        71..=78 => 64,
        91 => 40,
        _ => 0,
    }
}

impl Default for State {
    fn default() -> State {
        State { controllers: std::array::from_fn(default_of), bend: 0, pressure: 0, has_range: false }
    }
}

impl State {
    fn set(&mut self, control: Control) {
        match control {
            Control::Controller { number, value } => {
                let number = usize::from(number & 127);
                self.controllers[number] = value;
                self.has_range |= number == 6 && self.controllers[100] == 0 && self.controllers[101] == 0;
            }
            Control::Bend(bend) => self.bend = bend,
            Control::Pressure(pressure) => self.pressure = pressure,
        }
    }

    /// Sets back what differs and what `concerns`, and says so.
    fn reset(&mut self, concerns: impl Fn(u8) -> bool, mut say: impl FnMut(Control)) {
        // Data entry changes the parameter that is chosen: it has no value of its own.
        let all = concerns(6);
        if all && std::mem::take(&mut self.has_range) {
            for (number, value) in [(101, 0), (100, 0), (6, 2)] {
                let control = Control::Controller { number, value };
                self.set(control);
                say(control);
            }
            self.has_range = false;
        }
        for number in (0..120_u8).filter(|number| concerns(*number) && ![6, 38, 64, 96, 97].contains(number)) {
            let value = default_of(usize::from(number));
            if std::mem::replace(&mut self.controllers[usize::from(number)], value) != value {
                say(Control::Controller { number, value });
            }
        }
        if std::mem::take(&mut self.bend) != 0 {
            say(Control::Bend(0));
        }
        if std::mem::take(&mut self.pressure) != 0 {
            say(Control::Pressure(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(number: u8, value: u8) -> Control {
        Control::Controller { number, value }
    }

    #[test]
    fn a_part_believes_its_own_track_at_one_tick() {
        let program = |number| Program::new(number).unwrap();
        let mut stream = Stream::default();
        stream.program(0, 1, program(73));
        stream.program(9, 1, program(74));
        stream.program(0, 2, program(58));
        assert_eq!(stream.clone().into_share(1).programs, [(Ticks(0), program(73)), (Ticks(9), program(74))]);
        assert_eq!(stream.clone().into_share(2).programs, [(Ticks(0), program(58)), (Ticks(9), program(74))]);
        assert_eq!(stream.into_share(3).programs[0], (Ticks(0), program(58)));
    }

    #[test]
    fn a_pedal_pressed_in_one_track_is_released_in_another() {
        let mut stream = Stream { end: 50, ..Stream::default() };
        stream.pedal(4, 1, true);
        stream.pedal(30, 1, true);
        stream.pedal(8, 2, false);
        let span = |down, up| PedalSpan { down: Ticks(down), up: Ticks(up) };
        assert_eq!(stream.clone().into_share(1).pedal, [span(4, 8), span(30, 50)]);
    }

    #[test]
    fn resets_are_said_in_controllers_and_only_where_something_differs() {
        let mut stream = Stream::default();
        stream.control(0, 1, controller(7, 20));
        stream.control(0, 1, controller(1, 5));
        stream.control(0, 1, Control::Bend(-9));
        stream.reset_controllers(5, 1);
        stream.reset_controllers(6, 1);
        stream.reset(&[8]);
        let controls = stream.clone().into_share(1).controls;
        let after = |at| controls.iter().filter(|(tick, _)| tick.0 == at).map(|(_, c)| *c).collect::<Vec<_>>();
        assert_eq!(after(5), [controller(1, 0), Control::Bend(0)]);
        assert_eq!(after(6), []);
        assert_eq!(after(8), [controller(7, 100)]);
    }
}
