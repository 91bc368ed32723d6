//! Stories of the desk, told as a trader would: what comes in at what time, and after `->` what goes out.

macro_rules! stories {
    ($($name:ident: $story:expr;)*) => {
        $(
            #[test]
            fn $name() {
                check($story);
            }
        )*

        /// All of them, for the question whether every denial has one.
        pub(crate) const ALL: &[&str] = &[$($story),*];
    };
}

mod abroad_stories;
mod book_stories;
mod broker_stories;
mod cancel_stories;
mod contract_stories;
mod ex_stories;
mod execution_stories;
mod execution_words;
mod held_stories;
mod issue_stories;
mod loss_stories;
mod monitor_stories;
mod netting_stories;
mod people_stories;
mod quote_stories;
mod replace_stories;
mod risk_stories;
mod signal_stories;
mod stage;
mod stories;
mod volume_stories;
mod whole_stories;

use strum::IntoEnumIterator;

#[test]
fn every_denial_has_a_story() {
    let all = stories::ALL
        .iter()
        .chain(broker_stories::ALL)
        .chain(cancel_stories::ALL)
        .chain(signal_stories::ALL)
        .chain(people_stories::ALL)
        .chain(risk_stories::ALL)
        .chain(book_stories::ALL)
        .chain(abroad_stories::ALL)
        .chain(contract_stories::ALL)
        .chain(ex_stories::ALL)
        .chain(execution_stories::ALL)
        .chain(held_stories::ALL)
        .chain(loss_stories::ALL)
        .chain(whole_stories::ALL)
        .chain(issue_stories::ALL)
        .chain(monitor_stories::ALL)
        .chain(volume_stories::ALL)
        .chain(netting_stories::ALL)
        .chain(replace_stories::ALL)
        .chain(quote_stories::ALL);
    let told: Vec<_> = all.flat_map(|story| stage::codes_in(story)).collect();
    let missing: Vec<_> = signalbox_domain::denial::DenialCode::iter().filter(|code| !told.contains(code)).collect();
    assert!(missing.is_empty(), "no story tells of {missing:?}");
}
