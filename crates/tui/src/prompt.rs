//! The line in which a filter is written.

use crate::filter::Filter;
use crate::table::Table;
use peermon_expr::Error;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters of a filter: more than anybody types, and than the language takes in one line.
const LENGTH_MAX: usize = 1000;

/// What is written so far.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Prompt {
    pub(crate) text: Vec<char>,
    /// Characters before the cursor.
    pub(crate) at: usize,
    pub(crate) error: Option<Error>,
}

/// What a key did to it.
#[derive(PartialEq, Debug)]
pub(crate) enum Typed {
    /// It goes on.
    More,
    /// Esc.
    Cancelled,
    /// Enter.
    Done(String),
}

impl Prompt {
    pub(crate) fn new(text: &str) -> Prompt {
        let text: Vec<char> = text.chars().collect();
        Prompt { at: text.len(), text, error: None }
    }

    pub(crate) fn handle_key(&mut self, key: KeyEvent, table: Option<&Table>) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Typed::Cancelled,
            KeyCode::Enter => return Typed::Done(self.text.iter().collect()),
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right => self.at = (self.at + 1).min(self.text.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            KeyCode::Backspace if self.at > 0 => {
                self.at -= 1;
                self.text.remove(self.at);
            }
            KeyCode::Delete if self.at < self.text.len() => {
                self.text.remove(self.at);
            }
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char('u') if control => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('w') if control => {
                let end = self.at;
                while self.at > 0 && self.text[self.at - 1] == ' ' {
                    self.at -= 1;
                }
                while self.at > 0 && self.text[self.at - 1] != ' ' {
                    self.at -= 1;
                }
                self.text.drain(self.at..end);
            }
            KeyCode::Char(c) if !control && !c.is_control() && self.text.len() < LENGTH_MAX => {
                self.text.insert(self.at, c);
                self.at += 1;
            }
            _ => {}
        }
        let text: String = self.text.iter().collect();
        self.error = Filter::read(&text, table).err();
        Typed::More
    }
}
