use std::sync::Arc;

use super::*;
use crate::strategy::Route;

fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

fn group(name: &str) -> GroupId {
    GroupId::parse(name).unwrap()
}

fn by() -> By {
    By { who: "ann".into(), reason: "a test".into() }
}

fn new(name: &str, mode: AccountMode) -> NewAccount {
    let on_paper = mode == AccountMode::Paper;
    NewAccount {
        id: account(name),
        display_name: name.into(),
        broker: "paper".into(),
        broker_account: None,
        on_paper,
        mode,
        step: None,
        currency: Currency::Cny,
        cash: Money::ZERO,
        by: by(),
    }
}

fn change(name: &str) -> AccountChange {
    let (display_name, mode, step, state) = (None, None, None, None);
    AccountChange { id: account(name), display_name, mode, step, state, expected: None, by: by() }
}

fn members(name: &str, accounts: &[&str]) -> GroupChange {
    let accounts = Some(accounts.iter().map(|name| account(name)).collect());
    GroupChange { id: group(name), new: false, accounts, opted_out: None, deleted: false, expected: None, by: by() }
}

/// The accounts a and b on paper and c with real money, and the group `all` of a and b.
fn registry() -> Registry {
    let mut registry = Registry::default();
    for (name, mode) in [("a", AccountMode::Paper), ("b", AccountMode::Paper), ("c", AccountMode::Live)] {
        let fact = registry.open_account(Timestamp::default(), &new(name, mode)).unwrap();
        registry.put(Fact::Account(fact.into()));
    }
    let all = GroupChange { new: true, ..members("all", &["a", "b"]) };
    let fact = registry.change_group(Timestamp::default(), &all).unwrap();
    registry.put(Fact::Group(fact.into()));
    registry
}

fn strategy(name: &str, to: &[RouteTo]) -> StrategyConf {
    let routes = to.iter().cloned().map(Route::plain).collect();
    StrategyConf { id: StrategyId::parse(name).unwrap(), kind: "external".into(), routes }
}

fn changed(registry: &mut Registry, change: &AccountChange) -> Result<Arc<AccountFact>, Unfit> {
    let fact = Arc::new(registry.change_account(Timestamp::default(), change, 0)?);
    registry.put(Fact::Account(fact.clone()));
    Ok(fact)
}

#[test]
fn a_live_account_goes_up_one_step_at_a_time_and_down_at_once() {
    let mut registry = registry();
    assert_eq!(registry.account(&account("c")).unwrap().step, Step::ReadOnly);
    let to = |step| AccountChange { step: Some(step), ..change("c") };
    let share = Step::Share(crate::units::Ratio::from_percent(10));
    let skipped = Unfit::StepSkipped { from: Step::ReadOnly, to: Step::OneLot };
    assert_eq!(changed(&mut registry, &to(Step::OneLot)), Err(skipped));
    for step in [Step::Canary, Step::OneLot, share, Step::All, Step::ReadOnly] {
        assert_eq!(changed(&mut registry, &to(step)).unwrap().step, step);
    }
    assert!(matches!(changed(&mut registry, &to(Step::All)), Err(Unfit::StepSkipped { .. })));
    // Play money that becomes real begins at the beginning.
    let sim = AccountChange { mode: Some(AccountMode::Sim), step: Some(Step::All), ..change("c") };
    assert_eq!(changed(&mut registry, &sim).unwrap().step, Step::All);
    let live = AccountChange { mode: Some(AccountMode::Live), ..change("c") };
    assert_eq!(changed(&mut registry, &live).unwrap().step, Step::ReadOnly);
    let at_once = AccountChange { step: Some(Step::Canary), ..live };
    changed(&mut registry, &sim).unwrap();
    assert!(matches!(changed(&mut registry, &at_once), Err(Unfit::StepSkipped { .. })));
    // On paper there is nothing to lose.
    let paper = AccountChange { step: Some(Step::OneLot), ..change("a") };
    assert_eq!(changed(&mut registry, &paper).unwrap().step, Step::OneLot);
    let real = AccountChange { mode: Some(AccountMode::Live), ..change("a") };
    assert_eq!(changed(&mut registry, &real), Err(Unfit::Mode));
}

#[test]
fn an_account_with_live_orders_goes_on_sending() {
    let registry = registry();
    let try_with = |change: &AccountChange, live: u32| {
        registry.change_account(Timestamp::default(), change, live).map(|fact| fact.standing().sends())
    };
    let disable = AccountChange { state: Some(AccountState::Disabled), ..change("a") };
    let shadow = AccountChange { mode: Some(AccountMode::Shadow), ..change("a") };
    let read_only = AccountChange { step: Some(Step::ReadOnly), ..change("a") };
    for stop in [disable, shadow, read_only] {
        assert_eq!(try_with(&stop, 2), Err(Unfit::LiveOrders(2)));
        assert_eq!(try_with(&stop, 0), Ok(false));
    }
    let renamed = AccountChange { display_name: Some("Ann's".into()), ..change("a") };
    assert_eq!(try_with(&renamed, 2), Ok(true));
}

#[test]
fn what_is_in_use_is_not_taken_away() {
    let mut registry = registry();
    let retire = |name| AccountChange { state: Some(AccountState::Retired), ..change(name) };
    assert_eq!(changed(&mut registry, &retire("a")), Err(Unfit::InUse(vec!["group all".to_owned()])));
    registry.put_strategy(strategy("s", &[RouteTo::Group(group("all")), RouteTo::Account(account("c"))]).into(), 1);
    assert_eq!(changed(&mut registry, &retire("c")), Err(Unfit::InUse(vec!["strategy s".to_owned()])));
    let delete = GroupChange { deleted: true, accounts: None, ..members("all", &[]) };
    let refused = registry.change_group(Timestamp::default(), &delete);
    assert_eq!(refused, Err(Unfit::InUse(vec!["strategy s".to_owned()])));
    registry.put_strategy(strategy("s", &[]).into(), 2);
    let gone = registry.change_group(Timestamp::default(), &delete).unwrap();
    registry.put(Fact::Group(gone.into()));
    assert_eq!((registry.groups().count(), registry.followers().len()), (0, 0));
    changed(&mut registry, &retire("c")).unwrap();
    let again = AccountChange { state: Some(AccountState::Enabled), ..change("c") };
    assert_eq!(changed(&mut registry, &again), Err(Unfit::Retired));
    assert_eq!(
        registry.next_of_strategy(&strategy("s", &[RouteTo::Account(account("c"))]), None),
        Err(Unfit::NoAccount(account("c")))
    );
    // The name of a group is free again, and its versions go on.
    let anew = GroupChange { new: true, ..members("all", &["a"]) };
    assert_eq!(registry.change_group(Timestamp::default(), &anew).unwrap().version, 3);
}

#[test]
fn no_change_of_a_group_makes_a_strategy_reach_an_account_twice() {
    let mut registry = registry();
    let conf = strategy("s", &[RouteTo::Group(group("all")), RouteTo::Account(account("c"))]);
    assert_eq!(registry.next_of_strategy(&conf, Some(0)), Ok(1));
    registry.put_strategy(conf.clone().into(), 1);
    assert_eq!(registry.next_of_strategy(&conf, Some(0)), Err(Unfit::Version { is: 1 }));
    let with_c = members("all", &["a", "b", "c"]);
    let overlap = Unfit::Overlap { strategy: conf.id.clone(), account: account("c") };
    assert_eq!(registry.change_group(Timestamp::default(), &with_c), Err(overlap));
    // Who has opted out is not reached.
    let opted_out = GroupChange { opted_out: Some(vec![account("c")]), ..with_c };
    let fact = registry.change_group(Timestamp::default(), &opted_out).unwrap();
    registry.put(Fact::Group(fact.into()));
    assert_eq!(registry.followers()[&group("all")], [account("a"), account("b")]);
    let follows = GroupChange { accounts: None, opted_out: Some(vec![]), ..members("all", &[]) };
    assert!(matches!(registry.change_group(Timestamp::default(), &follows), Err(Unfit::Overlap { .. })));
}

#[test]
fn who_takes_no_orders_is_not_planned_for_and_stays_a_follower() {
    let mut registry = registry();
    let disable = AccountChange { state: Some(AccountState::Disabled), ..change("a") };
    changed(&mut registry, &disable).unwrap();
    assert_eq!(registry.in_force()[&group("all")], [account("b")]);
    assert_eq!(registry.followers()[&group("all")], [account("a"), account("b")]);
    let enable = AccountChange { state: Some(AccountState::Enabled), expected: Some(2), ..change("a") };
    changed(&mut registry, &enable).unwrap();
    assert_eq!(registry.in_force()[&group("all")], [account("a"), account("b")]);
    assert_eq!(changed(&mut registry, &enable), Err(Unfit::Version { is: 3 }));
}
