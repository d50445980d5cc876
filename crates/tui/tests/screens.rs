//! Keys and tables in, screens out.

mod made;

use peermon_model::Instant;
use peermon_tui::{Answer, App, Details, Input, Options, Order, OwnAnswer, Past, PastSeries, Ready, Remembered};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::path::Path;
use std::time::Duration;

/// Seconds that were watched before keys are pressed.
const WATCHED: u64 = 40;

struct Desk {
    app: App,
    now: u64,
    terminal: Terminal<TestBackend>,
}

impl Desk {
    fn empty(options: &Options, (columns, rows): (u16, u16)) -> Desk {
        let app = App::new(options, (columns, rows), Instant::from_millis(0)).expect("options that mean something");
        let terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen in memory");
        Desk { app, now: 0, terminal }
    }

    fn of(nodes: usize, options: &Options, size: (u16, u16)) -> Desk {
        let mut desk = Desk::empty(options, size);
        for second in 0..WATCHED {
            desk.now = second * 1000;
            desk.give(Input::Answer(Box::new(made::cluster(nodes, second).into())));
        }
        desk
    }

    /// The same on the page of the node that answers, which told of itself.
    fn of_own(processes: u32, size: (u16, u16)) -> Desk {
        let mut desk = Desk::of(12, &Options::default(), size);
        desk.press("home enter");
        desk.give(Input::Own(Box::new(made::own(processes, WATCHED))));
        desk
    }

    fn give(&mut self, input: Input) -> bool {
        self.app.handle(input, Instant::from_millis(self.now))
    }

    fn wait(&mut self, ms: u64) {
        self.now += ms;
        self.give(Input::Tick);
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.give(Input::Key(KeyEvent::new(code, modifiers)));
    }

    /// Presses keys: words name them, `"..."` is typed.
    fn press(&mut self, keys: &str) {
        for (i, part) in keys.split('"').enumerate() {
            if i % 2 == 1 {
                part.chars().for_each(|c| self.key(KeyCode::Char(c), KeyModifiers::NONE));
                continue;
            }
            for word in part.split_whitespace() {
                let code = match word {
                    "up" => KeyCode::Up,
                    "down" => KeyCode::Down,
                    "left" => KeyCode::Left,
                    "right" => KeyCode::Right,
                    "pgup" => KeyCode::PageUp,
                    "pgdn" => KeyCode::PageDown,
                    "home" => KeyCode::Home,
                    "end" => KeyCode::End,
                    "enter" => KeyCode::Enter,
                    "esc" => KeyCode::Esc,
                    "space" => KeyCode::Char(' '),
                    "backspace" => KeyCode::Backspace,
                    word => KeyCode::Char(word.chars().next().expect("a key")),
                };
                self.key(code, KeyModifiers::NONE);
            }
        }
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        self.give(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }

    fn click(&mut self, column: u16, row: u16) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    }

    /// What is on the screen, and lines that stand out marked at their beginning with `>`.
    fn screen(&mut self) -> String {
        let app = &self.app;
        let draw = |frame: &mut ratatui::Frame<'_>| {
            app.draw(frame.buffer_mut());
        };
        self.terminal.draw(draw).expect("a screen in memory");
        let buffer = self.terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += if symbol.chars().all(|c| c < '\u{1100}' || ('\u{2000}'..'\u{2e80}').contains(&c)) { 1 } else { 2 };
            }
            let reversed = buffer[(buffer.area.width - 1, y)].modifier.contains(ratatui::style::Modifier::REVERSED);
            text.push(if reversed { '>' } else { '|' });
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Compares with the file `tests/expected/FILE`; `UPDATE_EXPECTED=1` writes it instead, to be read in the diff.
fn check(file: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, got).expect("the expected screen can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == got,
        "{file} differs.\nexpected:\n{expected}\ngot:\n{got}\nIf it is meant, run the test with UPDATE_EXPECTED=1."
    );
}

#[test]
fn screens() {
    /// (file, nodes, columns, rows, keys)
    const CASES: &[(&str, usize, u16, u16, &str)] = &[
        ("list_160x20.txt", 12, 160, 20, ""),
        ("list_120x20.txt", 12, 120, 20, "j j"),
        ("list_80x24.txt", 30, 80, 24, "pgdn"),
        ("list_40x10.txt", 30, 40, 10, "G"),
        ("list_20x4.txt", 30, 20, 4, ""),
        ("list_none.txt", 0, 60, 16, ""),
        ("sorted.txt", 12, 80, 20, "> > >"),
        ("sort_menu.txt", 12, 80, 24, "s down down down down"),
        ("sort_chosen.txt", 12, 80, 20, "s down down down enter S"),
        ("columns_menu.txt", 12, 80, 24, "c down down space down space"),
        ("columns_chosen.txt", 12, 80, 20, "c down down space down space esc"),
        ("grouped.txt", 120, 80, 16, "g down enter end"),
        ("grouped_by_label.txt", 120, 100, 16, "g g pgdn"),
        ("filter_help.txt", 12, 80, 20, "/"),
        ("filter_wrong.txt", 12, 80, 20, "/ \"cpu.busy > 3 GiB\" left"),
        ("filter_kept_wrong.txt", 12, 80, 20, "/ \"cpu.bsy > 3\" enter"),
        ("filter.txt", 30, 80, 20, "/ \"cpu.busy > 50% && zone == 'row-0'\" enter"),
        ("filter_name.txt", 30, 80, 20, "/ \"ode-2\" enter"),
        ("filter_nothing.txt", 30, 80, 20, "/ \"nobody\" enter"),
        ("node_120x50.txt", 12, 120, 50, "j enter"),
        ("node_80x24.txt", 12, 80, 24, "j enter right right down down down"),
        ("node_40x10.txt", 12, 40, 10, "j enter end"),
        ("map_80x24.txt", 30, 80, 24, "m right right"),
        ("map_2200.txt", 2200, 120, 40, "m right down down"),
        ("map_grouped.txt", 120, 80, 24, "g m c down enter down down"),
        ("help_80x30.txt", 5, 80, 30, "?"),
        ("help_40x10.txt", 5, 40, 10, "? down down"),
    ];
    for (file, nodes, columns, rows, keys) in CASES {
        let mut desk = Desk::of(*nodes, &Options::default(), (*columns, *rows));
        desk.press(keys);
        check(file, &desk.screen());
    }
}

#[test]
fn what_the_node_that_answers_tells_of_itself() {
    const CASES: &[(&str, u32, u16, u16, &str)] = &[
        ("own_80x24.txt", 20, 80, 24, ""),
        ("own_200x50.txt", 20, 200, 50, ""),
        ("own_nothing_told_80x24.txt", 0, 80, 50, "end"),
        ("own_other_120x50.txt", 20, 120, 50, "right right right right right right right"),
        ("processes_80x24.txt", 60, 80, 24, "enter"),
        ("processes_200x50.txt", 60, 200, 50, "enter down down down"),
        ("processes_40x10.txt", 60, 40, 10, "enter pgdn pgdn"),
        ("processes_by_memory.txt", 20, 120, 20, "enter > S end"),
        ("process_80x24.txt", 20, 80, 24, "enter down down enter"),
        ("process_next.txt", 20, 80, 24, "enter down enter right"),
    ];
    for (file, processes, columns, rows, keys) in CASES {
        let mut desk = Desk::of_own(*processes, (*columns, *rows));
        desk.press(keys);
        check(file, &desk.screen());
    }
}

#[test]
fn the_parts_of_its_machine() {
    /// (file, processors, disks and the like, columns, rows, keys)
    const CASES: &[(&str, usize, usize, u16, u16, &str)] = &[
        ("parts_120x80.txt", 8, 3, 120, 80, ""),
        ("parts_192_cores_120x80.txt", 192, 12, 120, 80, ""),
        ("parts_2048_cores_80x50.txt", 2048, 12, 80, 50, ""),
        ("parts_40x80.txt", 32, 3, 40, 80, "pgdn"),
        ("parts_unknown_80x50.txt", 0, 0, 80, 50, ""),
    ];
    for (file, cores, others, columns, rows, keys) in CASES {
        let mut desk = Desk::of_own(3, (*columns, *rows));
        let own = made::own(3, WATCHED);
        desk.give(Input::Own(Box::new(OwnAnswer { parts: Ok(made::parts(*cores, *others, WATCHED)), ..own })));
        desk.press(keys);
        check(file, &desk.screen());
    }
    let mut desk = Desk::of_own(3, (120, 80));
    let own = OwnAnswer { parts: Err("there is nothing at /api/v1/parts".into()), ..made::own(3, WATCHED) };
    desk.give(Input::Own(Box::new(own)));
    let screen = desk.screen();
    assert!(screen.contains("nothing at /api/v1/parts") && screen.contains("solver"), "{screen}");
}

#[test]
fn a_process_is_looked_at_while_its_page_is_open() {
    let mut desk = Desk::of_own(20, (80, 30));
    desk.press("enter down enter");
    let orders: Vec<Order> = std::iter::from_fn(|| desk.app.poll()).collect();
    let Some(Order::Look(pid, Some(_))) = orders.last().copied() else { panic!("{orders:?}") };
    assert_eq!(orders[0], Order::Own(true));
    let details = Details {
        command_line: Some("solver --all --of=it \u{1b}[2J and more of what would not fit into one line of a terminal".into()),
        program: Some("/usr/bin/solver".into()),
        folder: Some("/data/ada".into()),
        open_files: Some(12),
        group: Some("/user.slice/session-3.scope".into()),
    };
    desk.give(Input::Process(pid, Box::new(details)));
    check("process_details.txt", &desk.screen());
    // Each answer is a reason to look again, and what has ended says so.
    desk.give(Input::Own(Box::new(made::own(20, WATCHED + 1))));
    assert!(matches!(desk.app.poll(), Some(Order::Look(again, _)) if again == pid));
    desk.give(Input::Own(Box::new(made::own(0, WATCHED + 2))));
    assert_eq!(desk.app.poll(), None, "what has ended is not looked at");
    assert!(desk.screen().contains("It has ended"), "{}", desk.screen());
    desk.press("esc esc esc");
    assert!(desk.screen().contains("NAME"), "{}", desk.screen());
    assert_eq!(desk.app.poll(), Some(Order::Own(false)));
}

#[test]
fn the_mouse_enters_processes() {
    let mut desk = Desk::of_own(60, (80, 24));
    desk.press("enter");
    let line = |desk: &mut Desk, y: usize| desk.screen().lines().nth(y).expect("a line").to_string();
    desk.click(5, 6);
    assert!(line(&mut desk, 6).starts_with('>'), "{}", desk.screen());
    desk.mouse(MouseEventKind::ScrollDown, 5, 10);
    assert!(line(&mut desk, 9).starts_with('>'), "{}", desk.screen());
    let x = line(&mut desk, 1).find("MEM").expect("a title") as u16;
    desk.click(x, 1);
    assert!(line(&mut desk, 1).contains("▼MEM"), "{}", desk.screen());
    desk.click(5, 3);
    desk.click(5, 3);
    assert!(desk.screen().contains("What it uses"), "{}", desk.screen());
}

#[test]
fn a_daemon_that_stops_is_told_about_and_comes_back() {
    let mut desk = Desk::empty(&Options { asked: "the daemon at /run/x".into(), ..Options::default() }, (80, 16));
    desk.give(Input::Asked);
    let mut story = desk.screen();
    desk.wait(5000);
    story += &desk.screen();
    desk.give(Input::Answer(Box::new(made::cluster(3, 5).into())));
    assert!(desk.screen().contains("node-1") && !desk.screen().contains("no answer"));
    desk.wait(1000);
    desk.give(Input::Asked);
    desk.wait(2900);
    assert!(!desk.screen().contains("no answer"), "it may take a moment");
    desk.wait(5000);
    story += &desk.screen();
    desk.give(Input::Failed("the daemon at /run/x broke off its answer; look at its log".into(), Duration::from_secs(2)));
    desk.wait(1000);
    story += &desk.screen();
    assert!(desk.give(Input::Answer(Box::new(made::cluster(3, 20).into()))), "news are drawn");
    assert!(desk.screen().contains("node-1") && !desk.screen().contains("no answer"));
    check("silence.txt", &story);
}

#[test]
fn orders_reach_the_shell() {
    let mut desk = Desk::of(3, &Options::default(), (80, 16));
    desk.press("+ - - space");
    desk.key(KeyCode::Char('z'), KeyModifiers::CONTROL);
    desk.key(KeyCode::Char('l'), KeyModifiers::CONTROL);
    let before = desk.screen();
    assert!(before.contains("paused"), "{before}");
    desk.give(Input::Answer(Box::new(made::cluster(9, 50).into())));
    assert!(!desk.screen().contains("node-8"), "a screen that holds still does");
    desk.press("space q");
    desk.key(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let every = |s: f64| Order::Every(Duration::from_secs_f64(s));
    let orders: Vec<Order> = std::iter::from_fn(|| desk.app.poll()).collect();
    let expected = [
        every(0.5),
        every(1.0),
        every(2.0),
        Order::Pause(true),
        Order::Suspend,
        Order::Redraw,
        Order::Pause(false),
        Order::Quit,
        Order::Quit,
    ];
    assert_eq!(orders, expected);
}

#[test]
fn the_mouse_does_what_keys_do() {
    let (options, size) = (Options::default(), (80, 24));
    let at = |screen: &str, text: &str| {
        let (y, line) = screen.lines().enumerate().find(|(_, l)| l.contains(text)).expect(text);
        let x = line[..line.find(text).expect("it is there")].chars().count() - 1;
        (x as u16, y as u16)
    };
    let mut desk = Desk::of(40, &options, size);
    // A title sorts, and turns round.
    let (x, y) = at(&desk.screen(), "MEM AVAIL");
    desk.click(x, y);
    let mut keys = Desk::of(40, &options, size);
    keys.press("s down down down down down enter");
    assert!(keys.screen().contains("▼MEM"), "{}", keys.screen());
    assert_eq!(desk.screen(), keys.screen());
    desk.click(x, y);
    keys.press("S");
    assert_eq!(desk.screen(), keys.screen());
    // A click chooses, a second one enters, but not one that comes late.
    let mut desk = Desk::of(40, &options, size);
    let (x, y) = at(&desk.screen(), "node-7 ");
    desk.click(x, y);
    assert!(desk.screen().lines().nth(y.into()).is_some_and(|l| l.starts_with('>')));
    desk.wait(600);
    desk.click(x, y);
    assert!(desk.screen().contains("NAME"));
    desk.wait(100);
    desk.click(x, y);
    assert!(desk.screen().contains("Processor"), "{}", desk.screen());
    desk.press("esc");
    // The wheel scrolls, and no further than there is.
    for _ in 0..50 {
        desk.mouse(MouseEventKind::ScrollDown, 5, 10);
    }
    let screen = desk.screen();
    assert!(screen.contains("node-39 ") && !screen.contains("node-7 "), "{screen}");
    // A click in a menu chooses.
    desk.press("s");
    let (x, y) = at(&desk.screen(), "Processor time that is");
    desk.click(x, y);
    assert!(desk.screen().contains("▼CPU"), "{}", desk.screen());
}

#[test]
fn the_wheel_ends_with_the_list_however_low_the_terminal() {
    for rows in 0..6 {
        let mut desk = Desk::of(60, &Options::default(), (80, rows));
        desk.press("down");
        (0..30).for_each(|_| desk.mouse(MouseEventKind::ScrollDown, 4, 0));
        desk.give(Input::Resize(80, 24));
        desk.terminal.backend_mut().resize(80, 24);
        let screen = desk.screen();
        assert!(screen.contains("node-59"), "{screen}");
    }
}

#[test]
fn the_cursor_stays_on_its_node_and_charts_are_calm() {
    let mut desk = Desk::of(40, &Options { sort: Some("cpu".into()), ..Options::default() }, (80, 24));
    desk.press("down down");
    let marked = |screen: &str| {
        screen
            .lines()
            .find(|l| l.starts_with('>'))
            .map(|l| l.split_whitespace().find(|w| w.contains('-')).expect("a name").to_string())
    };
    let before = marked(&desk.screen()).expect("a cursor");
    for second in WATCHED..WATCHED + 20 {
        desk.now = second * 1000;
        desk.give(Input::Answer(Box::new(made::cluster(40, second).into())));
        assert_eq!(marked(&desk.screen()).expect("a cursor"), before);
    }
}

#[test]
fn the_past_fills_sparklines_at_once() {
    let mut desk = Desk::empty(&Options::default(), (100, 16));
    desk.now = 500;
    let answer = made::cluster(2, 0);
    let id = answer.nodes[1].id.clone();
    let ready = Ready::from(answer);
    let scales = ready.scales();
    desk.give(Input::Answer(Box::new(ready)));
    assert!(!desk.screen().contains('▅'), "nothing is known yet: {}", desk.screen());
    let series = PastSeries { node: id, attribute: "cpu.busy".into(), values: vec![Some(0.6); 120] };
    let strange = PastSeries { node: "nobody".into(), attribute: "cpu.busy".into(), values: vec![None, Some(f64::NAN)] };
    let past = Past { step: 1.0, ago: 0.0, series: vec![series, strange] };
    desk.give(Input::Past(Box::new(Remembered::of(&past, &scales))));
    let screen = desk.screen();
    let line = screen.lines().find(|l| l.contains("node-1")).expect("its line");
    assert!(line.contains("▅▅▅▅▅▅"), "{screen}");
}

#[test]
fn nothing_that_comes_from_outside_steers_the_terminal() {
    let mut answer = made::cluster(2, 0);
    answer.nodes[0].name = "a\u{1b}[2Jb\u{202e}c".into();
    answer.nodes[1].zone = "\u{7}z".into();
    answer.nodes[1].vitals.insert("cpu.busy".into(), f64::INFINITY);
    answer.nodes[1].vitals.insert("load.1".into(), -1e300);
    answer.nodes[1].period_seconds = 0.0;
    let mut desk = Desk::empty(&Options::default(), (120, 40));
    desk.give(Input::Answer(Box::new(answer.into())));
    desk.press("g");
    for keys in ["", "down enter", "right", "esc m", "m"] {
        desk.press(keys);
        let screen = desk.screen();
        assert!(!screen.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{screen:?}");
    }
}

mod anything {
    use super::*;
    use proptest::prelude::*;

    fn input() -> impl Strategy<Value = Input> {
        let code = prop_oneof![
            proptest::char::range(' ', '~').prop_map(KeyCode::Char),
            proptest::sample::select(vec![
                KeyCode::Up,
                KeyCode::Down,
                KeyCode::Left,
                KeyCode::Right,
                KeyCode::PageUp,
                KeyCode::PageDown,
                KeyCode::Home,
                KeyCode::End,
                KeyCode::Enter,
                KeyCode::Esc,
                KeyCode::Backspace,
                KeyCode::Delete,
                KeyCode::Char('é'),
                KeyCode::Char('機'),
            ]),
        ];
        let key = (code, any::<bool>()).prop_map(|(code, control)| {
            Input::Key(KeyEvent::new(code, if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE }))
        });
        let kinds = [MouseEventKind::ScrollUp, MouseEventKind::ScrollDown, MouseEventKind::Down(MouseButton::Left)];
        let mouse = (proptest::sample::select(kinds.to_vec()), 0..140_u16, 0..60_u16)
            .prop_map(|(kind, column, row)| Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        let answer = (0..130_usize, 0..100_u64).prop_map(|(n, s)| Input::Answer(Box::new(made::cluster(n, s).into())));
        prop_oneof![
            12 => key,
            3 => mouse,
            1 => answer,
            1 => Just(()).prop_map(|()| Input::Answer(Box::new(Answer::default().into()))),
            1 => (0..60_u32, 0..3000_usize, 0..40_usize, 0..100_u64).prop_map(|(n, cores, others, s)| {
                let parts = Ok(made::parts(cores, others, s));
                Input::Own(Box::new(OwnAnswer { parts, ..made::own(n, s) }))
            }),
            1 => (0..140_u16, 0..60_u16).prop_map(|(c, r)| Input::Resize(c, r)),
            1 => Just(()).prop_map(|()| Input::Failed("no".into(), Duration::from_secs(1))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn never_panics(inputs in proptest::collection::vec((input(), 0..3000_u64), 1..60)) {
            let mut app = App::new(&Options::default(), (80, 24), Instant::from_millis(0)).expect("options");
            let mut now = 0;
            let mut size = (80, 24);
            for (input, ms) in inputs {
                now += ms;
                if let Input::Resize(columns, rows) = input {
                    size = (columns, rows);
                }
                app.handle(input, Instant::from_millis(now));
                let area = ratatui::layout::Rect::new(0, 0, size.0, size.1);
                let mut buffer = ratatui::buffer::Buffer::empty(area);
                app.draw(&mut buffer);
            }
        }
    }
}
