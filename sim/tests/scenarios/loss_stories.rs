//! The stories of what is lost: on the day, and since the best.

use crate::stage::check;

stories! {
    a_day_that_loses_too_much_only_reduces_until_the_next: "
        given account a cash 50000 s 600000.SH 5000
        09:31 quote 600000.SH 9.40
           -> global: gain -3000.00, day warned, drawdown quiet
           -> account:a: gain -3000.00, day warned, drawdown quiet
           -> strategy:s: gain -3000.00, day warned, drawdown quiet
        09:32 quote 600000.SH 9.30
           -> global: gain -3500.00, day warned, drawdown quiet
           -> account:a: gain -3500.00, day warned, drawdown quiet
           -> strategy:s: gain -3500.00, day warned, drawdown quiet
        09:33 S1 buy 100 000001.SZ @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:34 quote 600000.SH 9.00
           -> global is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> global: gain -5000.00, day tripped, drawdown quiet
           -> account:a is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> account:a: gain -5000.00, day tripped, drawdown quiet
           -> strategy:s is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> strategy:s: gain -5000.00, day tripped, drawdown quiet
        09:34 S2 buy 100 000001.SZ @ 10.00
           -> S2.1 denied TRADING_STATE
           -> S2 denied TRADING_STATE
        09:35 S3 sell 1000 600000.SH @ 9.00
           -> a: submit S3.1 sell 1000 @ 9.00
        09:35 restart
           -> S1.1 in doubt
           -> S3.1 in doubt
           -> alarm: S1.1 is in doubt
           -> alarm: S3.1 is in doubt
           -> a: find S1.1
           -> a: find S3.1
        09:36 S4 buy 100 000001.SZ @ 10.00
           -> S4.1 denied TRADING_STATE
           -> S4 denied TRADING_STATE
        Tue 09:31 quote 600000.SH 9.05 prev 9.00
           -> global is active: a new day: the loss was that of the last one
           -> account:a is active: a new day: the loss was that of the last one
           -> strategy:s is active: a new day: the loss was that of the last one
        Tue 09:32 S5 buy 100 000001.SZ @ 10.00
           -> a: submit S5.1 buy 100 @ 10.00
    ";

    what_a_person_lets_go_does_not_trip_again_on_the_day: "
        given account a cash 50000 s 600000.SH 5000
        09:34 quote 600000.SH 9.00
           -> global is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> global: gain -5000.00, day tripped, drawdown quiet
           -> account:a is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> account:a: gain -5000.00, day tripped, drawdown quiet
           -> strategy:s is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> strategy:s: gain -5000.00, day tripped, drawdown quiet
        09:35 release account a
           -> account:a: gain -5000.00, day tripped, drawdown quiet
        09:35 release strategy s
           -> strategy:s: gain -5000.00, day tripped, drawdown quiet
        09:35 release all
           -> global: gain -5000.00, day tripped, drawdown quiet
        09:36 quote 600000.SH 8.90 prev 10.00
           -> global: gain -5500.00, day tripped, drawdown quiet
           -> account:a: gain -5500.00, day tripped, drawdown quiet
           -> strategy:s: gain -5500.00, day tripped, drawdown quiet
        09:36 S1 buy 100 000001.SZ @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    money_that_comes_and_goes_is_no_gain_and_no_loss: "
        given account a cash 50000 s 600000.SH 5000
        09:31 quote 600000.SH 10.00
        09:32 deposit -30000
        09:33 quote 600000.SH 9.50
        09:34 deposit 200000
        09:35 quote 600000.SH 9.20
    ";

    a_share_that_goes_to_another_book_takes_no_loss_along: "
        given account a cash 50000 s 600000.SH 5000
        given route s a
        given route t a
        09:31 limits strategy:t daily_loss 0.01
           -> limits 1 of strategy:t
        09:31 limits strategy:s daily_loss 0.20
           -> limits 1 of strategy:s
        09:32 quote 600000.SH 9.70
        09:33 transfer 5000 600000.SH from s to t
           -> a: 5000 600000.SH went from s to t, by ann
        09:34 quote 600000.SH 9.65
        09:35 quote 600000.SH 9.49
           -> strategy:t is reducing: daily loss 1050.00, 0.0105 of 100000.00, limit 0.01
           -> strategy:t: gain -1050.00, day tripped, drawdown quiet
    ";

    a_price_that_is_missing_trips_nothing: "
        given stale quotes
        given account a cash 0 s 600000.SH 5000 s 000001.SZ 5000
        09:31 quote 600000.SH 9.00
        09:31:30 quote 000001.SZ 10.90
        09:32 quote 600000.SH 9.30
        09:33 quote 000001.SZ 10.30
        09:34 quote 000001.SZ 9.80
           -> global: gain -4500.00, day warned, drawdown quiet
           -> account:a: gain -4500.00, day warned, drawdown quiet
           -> strategy:s: gain -4500.00, day warned, drawdown quiet
    ";

    a_drawdown_outlasts_the_day_and_needs_a_person: "
        given account a cash 50000 s 600000.SH 5000
        09:31 limits account:a daily_loss 0.5 daily_loss_warn 0.5
           -> limits 1 of account:a; looser daily_loss_warn,daily_loss
        09:31 quote 600000.SH 10.50
        Tue 09:31 quote 600000.SH 9.80 prev 10.50
        Wed 09:31 quote 600000.SH 9.00 prev 9.80
        Thu 09:31 quote 600000.SH 8.10 prev 9.00
        Thu 09:32 quote 600000.SH 7.40
           -> global is reducing: drawdown 0.151219 from the peak, limit 0.15
           -> global: gain -8000.00, day quiet, drawdown tripped
           -> account:a is reducing: drawdown 0.151219 from the peak, limit 0.15
           -> account:a: gain -8000.00, day quiet, drawdown tripped
           -> strategy:s is reducing: drawdown 0.151219 from the peak, limit 0.15
           -> strategy:s: gain -8000.00, day quiet, drawdown tripped
        Thu 09:33 quote 600000.SH 7.30
           -> global: gain -8500.00, day quiet, drawdown tripped
           -> account:a: gain -8500.00, day quiet, drawdown tripped
           -> strategy:s: gain -8500.00, day quiet, drawdown tripped
        Thu 09:34 S1 buy 100 000001.SZ @ 10.00
           -> S1.1 denied TRADING_STATE
           -> S1 denied TRADING_STATE
        Fri 09:31 quote 600000.SH 7.40 prev 7.30
           -> global: gain 500.00, day quiet, drawdown tripped
           -> account:a: gain 500.00, day quiet, drawdown tripped
           -> strategy:s: gain 500.00, day quiet, drawdown tripped
        Fri 09:32 S2 buy 100 000001.SZ @ 10.00
           -> S2.1 denied TRADING_STATE
           -> S2 denied TRADING_STATE
        Fri 09:33 release account a
        Fri 09:33 release strategy s
        Fri 09:33 release all
        Fri 09:34 quote 600000.SH 7.30
        Fri 09:34 S3 buy 100 000001.SZ @ 10.00
           -> a: submit S3.1 buy 100 @ 10.00
    ";

    a_strategy_that_runs_away_on_a_bad_day_is_not_let_go_by_the_next: "
        given account a cash 50000 s 600000.SH 5000
        09:31 limits strategy:s strategy_orders_max 1
           -> limits 1 of strategy:s
        09:32 S1 buy 100 000001.SZ @ 10.00
           -> S1.1 warned STRATEGY_ORDERS
           -> a: submit S1.1 buy 100 @ 10.00
        09:34 quote 600000.SH 9.00
           -> global is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> global: gain -5000.00, day tripped, drawdown quiet
           -> account:a is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> account:a: gain -5000.00, day tripped, drawdown quiet
           -> strategy:s is reducing: daily loss 5000.00, 0.05 of 100000.00, limit 0.05
           -> strategy:s: gain -5000.00, day tripped, drawdown quiet
        09:35 S2 buy 100 000001.SZ @ 9.99
           -> strategy:s: gain -5000.00, day tripped, drawdown quiet
           -> S2.1 denied TRADING_STATE,STRATEGY_ORDERS
           -> S2 denied TRADING_STATE,STRATEGY_ORDERS
        Tue 09:31 quote 600000.SH 9.05 prev 9.00
           -> global is active: a new day: the loss was that of the last one
           -> account:a is active: a new day: the loss was that of the last one
        Tue 09:32 S3 buy 100 000001.SZ @ 10.00
           -> S3.1 denied TRADING_STATE
           -> S3 denied TRADING_STATE
    ";
}
