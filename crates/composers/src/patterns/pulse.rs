//! How the bars of a metre are divided.

use cantus_score::{Meter, TicksPerQuarter};

/// Ticks to a quarter note: halves, thirds and eighths of every metre's units are whole.
pub(super) fn grid() -> TicksPerQuarter {
    TicksPerQuarter::new(96).unwrap_or(TicksPerQuarter::DEFAULT)
}

/// A bar as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    /// The length of the note that the metre counts.
    pub unit: u64,
    /// The lengths of its groups, each of one to three units, in order.
    pub groups: Vec<u64>,
}

impl Pulse {
    pub(super) fn of(meter: Meter) -> Pulse {
        let quarter = u64::from(grid().get());
        let (unit, units) = (4 * quarter / u64::from(meter.denominator()), u64::from(meter.numerator()));
        let counts: Vec<u64> = match units {
            _ if meter.is_compound() => vec![3; units as usize / 3],
            // Quarters and longer notes are beats of their own.
            _ if meter.denominator() <= 4 => vec![1; units as usize],
            1 => vec![1],
            8 => vec![3, 3, 2],
            _ if units.is_multiple_of(2) => vec![2; units as usize / 2],
            5 => vec![3, 2],
            // As 7/8 is counted mostly: the long group last.
            _ => [vec![2; (units as usize - 3) / 2], vec![3]].concat(),
        };
        Pulse { unit, groups: counts.into_iter().map(|count| count * unit).collect() }
    }

    /// The length of a bar.
    pub(super) fn bar(&self) -> u64 {
        self.groups.iter().sum()
    }

    /// Where the groups begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        self.groups.iter().scan(0, |at, length| {
            let start = *at;
            *at += length;
            Some(start)
        })
    }

    /// Whether a group begins there.
    pub(super) fn is_strong(&self, at: u64) -> bool {
        self.starts().any(|start| start == at)
    }

    /// Where a second chord of a bar comes in: its middle, or its last third; `None` where it has one group.
    pub(super) fn middle(&self) -> Option<u64> {
        let groups = self.groups.len();
        (groups > 1).then(|| self.groups[..groups.div_ceil(2)].iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_divided_as_they_are_counted() {
        for (meter, unit, groups) in [
            ("4/4", 96, vec![96; 4]),
            ("3/4", 96, vec![96; 3]),
            ("6/8", 48, vec![144; 2]),
            ("3/8", 48, vec![144]),
            ("5/8", 48, vec![144, 96]),
            ("7/8", 48, vec![96, 96, 144]),
            ("2/2", 192, vec![192; 2]),
            ("1/16", 24, vec![24]),
            ("11/8", 48, vec![96, 96, 96, 96, 144]),
        ] {
            let meter: Meter = meter.parse().unwrap();
            let pulse = Pulse::of(meter);
            assert_eq!((pulse.unit, &pulse.groups), (unit, &groups), "{meter}");
            assert_eq!(pulse.bar(), meter.bar(grid()).0);
        }
        assert_eq!(Pulse::of("4/4".parse().unwrap()).middle(), Some(192));
        assert_eq!(Pulse::of("3/4".parse().unwrap()).middle(), Some(192));
        assert_eq!(Pulse::of("3/8".parse().unwrap()).middle(), None);
        for numerator in 1..=64 {
            for denominator in 0..=7 {
                let meter = Meter::new(numerator, denominator).unwrap();
                assert_eq!(Pulse::of(meter).bar(), meter.bar(grid()).0, "{meter}");
            }
        }
    }
}
