//! Colours: what each part of the screen means, in three themes and in as many colours as the terminal has.

use peermon_api::State;
use ratatui::style::{Color, Modifier, Style};

/// Which colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Theme {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// None: bold and reversed text only.
    Plain,
}

impl Theme {
    /// All of them, in the order that `t` goes through.
    pub const ALL: [Theme; 3] = [Theme::Dark, Theme::Light, Theme::Plain];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Theme::Dark => "dark",
            Theme::Light => "light",
            Theme::Plain => "plain",
        }
    }

    pub(crate) fn next(self) -> Theme {
        match self {
            Theme::Dark => Theme::Light,
            Theme::Light => Theme::Plain,
            Theme::Plain => Theme::Dark,
        }
    }
}

/// How many colours a terminal has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// None, or the user wants none.
    Mono,
    /// The sixteen that the user chose for the terminal.
    Sixteen,
    /// xterm's cube and greys.
    Cube,
    /// Any.
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR` (no-color.org), `COLORTERM`, `TERM`; `variable` looks one up.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Depth {
        let is = |name: &str| variable(name).filter(|v| !v.is_empty());
        let term = is("TERM").unwrap_or_default();
        if is("NO_COLOR").is_some() || term == "dumb" {
            return Depth::Mono;
        }
        match is("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Depth::True,
            _ if term.ends_with("-direct") => Depth::True,
            _ if term.contains("256color") || term.contains("kitty") || term.contains("alacritty") => Depth::Cube,
            _ if term.starts_with("vt") => Depth::Mono,
            _ => Depth::Sixteen,
        }
    }
}

/// What a part of the screen is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Text,
    /// Less important.
    Dim,
    Strong,
    /// Names of things: titles, keys, the sorted column.
    Accent,
    Good,
    Warn,
    Bad,
    /// The nodes to use now.
    Best,
    /// The line of column titles.
    Head,
    /// The chosen line.
    Cursor,
    /// Something is wrong with what is shown.
    Alarm,
}

/// A colour in all depths.
struct Ink(u8, u8, u8, Color);

/// A theme on a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Palette {
    pub(crate) theme: Theme,
    pub(crate) depth: Depth,
}

impl Palette {
    pub(crate) fn plain(self) -> bool {
        self.theme == Theme::Plain || self.depth == Depth::Mono
    }

    pub(crate) fn style(self, role: Role) -> Style {
        let style = Style::new();
        if self.plain() {
            return match role {
                Role::Text | Role::Dim | Role::Good => style,
                Role::Strong | Role::Accent | Role::Best | Role::Warn | Role::Bad => style.add_modifier(Modifier::BOLD),
                Role::Head => style.add_modifier(Modifier::UNDERLINED),
                Role::Cursor | Role::Alarm => style.add_modifier(Modifier::REVERSED),
            };
        }
        let light = self.theme == Theme::Light;
        let fg = |dark: Ink, on_light: Ink| style.fg(self.colour(&if light { on_light } else { dark }));
        match role {
            Role::Text => style,
            Role::Strong => style.add_modifier(Modifier::BOLD),
            Role::Dim => fg(Ink(126, 136, 148, Color::DarkGray), Ink(112, 116, 122, Color::DarkGray)),
            Role::Accent => fg(Ink(118, 182, 214, Color::Cyan), Ink(18, 92, 150, Color::Blue)),
            Role::Good => fg(Ink(132, 186, 122, Color::Green), Ink(36, 118, 52, Color::Green)),
            Role::Warn => fg(Ink(222, 180, 92, Color::Yellow), Ink(160, 98, 0, Color::Yellow)),
            Role::Bad => fg(Ink(226, 104, 104, Color::Red), Ink(184, 30, 36, Color::Red)),
            Role::Best => {
                fg(Ink(240, 208, 110, Color::LightYellow), Ink(150, 96, 0, Color::Magenta)).add_modifier(Modifier::BOLD)
            }
            Role::Head if self.depth == Depth::Sixteen => style.add_modifier(Modifier::UNDERLINED),
            Role::Head => style
                .bg(self.colour(&if light { Ink(228, 233, 239, Color::Gray) } else { Ink(38, 44, 54, Color::Black) }))
                .fg(self.colour(&if light { Ink(70, 76, 84, Color::Black) } else { Ink(170, 180, 192, Color::Gray) })),
            Role::Cursor if self.depth == Depth::Sixteen => style.add_modifier(Modifier::REVERSED),
            Role::Cursor => {
                style.bg(self.colour(&if light { Ink(208, 225, 242, Color::Gray) } else { Ink(52, 64, 82, Color::Black) }))
            }
            Role::Alarm => style
                .bg(self.colour(&if light { Ink(196, 44, 48, Color::Red) } else { Ink(150, 48, 52, Color::Red) }))
                .fg(self.colour(&Ink(255, 255, 255, Color::White)))
                .add_modifier(Modifier::BOLD),
        }
    }

    /// How a member's state looks.
    pub(crate) fn state(self, state: State) -> Style {
        self.style(match state {
            State::Alive => Role::Good,
            State::Suspect | State::Stale => Role::Warn,
            State::Down => Role::Bad,
            State::Left => Role::Dim,
        })
    }

    /// How a value looks of which 0 is calm and 1 is the most there can be.
    pub(crate) fn level(self, level: f64) -> Style {
        if self.plain() { Style::new() } else { Style::new().fg(self.colour(&self.heat(level, false))) }
    }

    /// A cell of the heat map: background by level, text that can be read on it.
    pub(crate) fn cell(self, level: f64) -> Style {
        if self.plain() {
            return Style::new();
        }
        let ink = self.heat(level, true);
        let dark = u32::from(ink.0) * 3 + u32::from(ink.1) * 6 + u32::from(ink.2) < 1250;
        let text = if dark { Ink(240, 240, 240, Color::White) } else { Ink(20, 22, 26, Color::Black) };
        let text = if self.depth == Depth::Sixteen { Color::Black } else { self.colour(&text) };
        Style::new().bg(self.colour(&ink)).fg(text)
    }

    fn heat(self, level: f64, cell: bool) -> Ink {
        let level = if level.is_finite() { level.clamp(0.0, 1.0) } else { 0.0 };
        let stops: [(f64, u8, u8, u8); 4] = match (self.theme, cell) {
            (Theme::Light, false) => [(0.0, 60, 126, 110), (0.5, 128, 118, 20), (0.8, 186, 92, 10), (1.0, 188, 32, 38)],
            (Theme::Light, true) => [(0.0, 206, 230, 222), (0.5, 244, 228, 150), (0.8, 244, 178, 110), (1.0, 226, 96, 92)],
            (_, false) => [(0.0, 104, 168, 154), (0.5, 204, 190, 104), (0.8, 226, 150, 84), (1.0, 226, 96, 96)],
            (_, true) => [(0.0, 34, 70, 78), (0.5, 138, 124, 52), (0.8, 182, 106, 48), (1.0, 192, 62, 62)],
        };
        let i = stops.iter().rposition(|s| s.0 <= level).unwrap_or(0).min(stops.len() - 2);
        let ((a, ar, ag, ab), (b, br, bg, bb)) = (stops[i], stops[i + 1]);
        let t = (level - a) / (b - a);
        let mix = |x: u8, y: u8| (f64::from(x) + (f64::from(y) - f64::from(x)) * t).round() as u8;
        let sixteen = match level {
            l if l < 0.25 => Color::Cyan,
            l if l < 0.5 => Color::Green,
            l if l < 0.85 => Color::Yellow,
            _ => Color::Red,
        };
        Ink(mix(ar, br), mix(ag, bg), mix(ab, bb), sixteen)
    }

    fn colour(self, ink: &Ink) -> Color {
        match self.depth {
            Depth::True => Color::Rgb(ink.0, ink.1, ink.2),
            Depth::Cube => Color::Indexed(nearest(ink)),
            Depth::Sixteen => ink.3,
            Depth::Mono => Color::Reset,
        }
    }
}

/// The nearest colour of xterm's 256: 6 x 6 x 6 from 16 on, 24 greys from 232 on.
fn nearest(ink: &Ink) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |c: u8| (0..6).min_by_key(|i| STEPS[*i].abs_diff(c)).unwrap_or(0);
    let distance = |r: u8, g: u8, b: u8| {
        let d = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
        d(r, ink.0) + d(g, ink.1) + d(b, ink.2)
    };
    let (r, g, b) = (step(ink.0), step(ink.1), step(ink.2));
    let mean = (u32::from(ink.0) + u32::from(ink.1) + u32::from(ink.2)) / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let shade = 8 + 10 * grey;
    if distance(shade, shade, shade) < distance(STEPS[r], STEPS[g], STEPS[b]) {
        232 + grey
    } else {
        (16 + 36 * r + 6 * g + b) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_the_depth() {
        let detect = |all: &[(&str, &str)]| Depth::detect(|n| all.iter().find(|v| v.0 == n).map(|v| v.1.to_string()));
        for (all, expected) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], Depth::True),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "screen-256color")], Depth::Cube),
            (&[("TERM", "xterm")], Depth::Sixteen),
            (&[("TERM", "linux"), ("COLORTERM", "")], Depth::Sixteen),
            (&[("TERM", "vt100")], Depth::Mono),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], Depth::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Cube),
            (&[], Depth::Sixteen),
        ] {
            assert_eq!(detect(all), expected, "{all:?}");
        }
    }

    #[test]
    fn the_nearest_of_256_is_near() {
        for (ink, expected) in [
            (Ink(0, 0, 0, Color::Reset), 16),
            (Ink(255, 255, 255, Color::Reset), 231),
            (Ink(255, 0, 0, Color::Reset), 196),
            (Ink(38, 38, 38, Color::Reset), 235),
            (Ink(95, 135, 175, Color::Reset), 67),
        ] {
            assert_eq!(nearest(&ink), expected);
        }
    }

    #[test]
    fn without_colours_nothing_has_one() {
        for palette in [Palette { theme: Theme::Plain, depth: Depth::True }, Palette { theme: Theme::Dark, depth: Depth::Mono }] {
            for style in [palette.level(1.0), palette.cell(1.0), palette.style(Role::Alarm), palette.state(State::Down)] {
                assert_eq!((style.fg, style.bg), (None, None));
            }
        }
    }
}
