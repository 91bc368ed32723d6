//! What people want: legs that wait for them, and orders otherwise.

use super::*;

impl Stage {
    pub(super) fn decide(&mut self, signal: &str, name: &str, decision: Decision) -> Vec<String> {
        let signal = SignalId::new(signal[1..].parse().expect("a signal"));
        let of = self.desk.signals[&signal].strategy.clone();
        let say = Say { signal, accounts: [account(name)].into(), decision, who: "a trader".into() };
        self.desk.tell_strategy(&of, StrategyInput::Decide(say));
        let mut said = Vec::new();
        self.quiet(&mut said);
        said.extend(self.desk.decided.drain(..).filter_map(Result::err).map(|no| no.to_string()));
        said
    }

    /// `replace S1.1 [@ PRICE] [for QTY]`
    pub(super) fn replace(&mut self, id: OrderId, words: &[&str]) -> Vec<String> {
        let live = self.desk.accounts.values().find_map(|core| core.order(id).cloned().map(Arc::new));
        let known = live.or_else(|| self.desk.tables().orders.get(&id).cloned());
        let order = known.expect("an order");
        let (limit_price, qty) = (after(words, "@").map(price), after(words, "for").map(qty));
        let wish = Replacement { order, qty, limit_price, who: "a trader".into() };
        self.desk.tell_strategy(&wish.order.terms.strategy.clone(), StrategyInput::Replace(wish.clone()));
        let mut said = Vec::new();
        self.quiet(&mut said);
        said.extend(self.desk.replaced.drain(..).filter_map(|answer| match answer {
            Ok(replaces) => replaces.put_off_until.map(|at| format!("put off until {}", minute(at))),
            Err(no) => Some(format!("refused: {no}")),
        }));
        said
    }
}
