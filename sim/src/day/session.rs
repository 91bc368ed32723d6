//! The account's sessions with the broker: one question at a time, over a line that loses some.

use super::*;

/// As the program's sessions have it.
const PATIENCE: Span = Span::from_secs(10);

/// What waits for its turn at a broker.
#[derive(Debug)]
pub(super) struct Job {
    what: Ask,
    /// When it was decided, by the world's clock.
    since: Timestamp,
}

#[derive(Debug)]
pub(super) enum Ask {
    Call(BrokerRequest),
    Read,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) adapter: FakeAdapter<Line>,
    pub(super) level: Level,
    jobs: VecDeque<Job>,
    busy: bool,
    pub(super) connected: bool,
    /// What is asked at the moment, for the case that the process ends.
    pub(super) asked: Option<BrokerRequest>,
}

impl Day {
    pub(super) fn queue(&mut self, id: &AccountId, what: Ask) {
        let n = place(id);
        self.sessions[n].jobs.push_back(Job { what, since: self.now });
        self.start(n);
    }

    /// Asks the account's next question, if its line is free.
    fn start(&mut self, n: usize) {
        let (at, life) = (self.now, self.life);
        if self.sessions[n].busy {
            return;
        }
        let Some(job) = self.sessions[n].jobs.pop_front() else { return };
        self.sessions[n].busy = true;
        let fate = self.fate();
        self.line.next(fate);
        let unasked = match self.sessions[n].connected {
            _ if at.since(job.since) >= PATIENCE => Some("never sent: its turn came too late"),
            false => Some("there is no session"),
            true => None,
        };
        let (ms, happening) = match job.what {
            Ask::Call(request) => {
                let session = &mut self.sessions[n];
                let reports = match unasked {
                    None => now(session.adapter.ask(at, &request)),
                    Some(why) => {
                        vec![BrokerReport { order: request.order(), what: Report::Lost { cause: why.into() } }]
                    }
                };
                let lost = reports.iter().any(|r| matches!(r.what, Report::Lost { .. } | Report::Altered));
                let submit = matches!(request, BrokerRequest::Submit { .. }) && unasked.is_none();
                if let BrokerRequest::Submit { terms, .. } = &request
                    && lost
                {
                    self.somebody_sees(n, terms.clone());
                }
                let session = &mut self.sessions[n];
                session.asked = (fate == Fate::Lost && unasked.is_none()).then_some(request);
                self.may_come_late(n);
                let ghost = submit && self.faults.has(Trouble::Ghosts);
                if let Some(request) = self.sessions[n].asked.take_if(|_| ghost) {
                    let ms = 90_000 + u64::from(self.network.next_u32() % 300_000);
                    self.soon(ms, Happening::Late { account: n, request });
                }
                if lost {
                    self.met("answer lost");
                }
                (self.line.took_ms(), Happening::Answered { account: n, life, reports })
            }
            Ask::Read => {
                let read = match unasked {
                    None => {
                        // Our own clock tells when it was, whatever the broker's shows.
                        let (began, ended) = (self.desk.at, self.desk.at);
                        let read = now(self.sessions[n].adapter.read_lists(at));
                        read.map(|snapshot| Arc::new(Snapshot { began, ended, ..snapshot }))
                    }
                    Some(why) => Err(ReadFailed(why.into())),
                };
                if read.is_err() {
                    self.met("read failed");
                }
                (self.line.took_ms(), Happening::Listed { account: n, life, read })
            }
        };
        let ms = ms + 1 + u64::from(self.network.next_u32() % 80);
        self.soon(ms, happening);
    }

    /// A question that nobody answered in time may be on its way still.
    fn may_come_late(&mut self, n: usize) {
        let comes = self.troubled && self.faults.has(Trouble::LateArrivals) && self.time.next_u32().is_multiple_of(3);
        // It comes once, or at the end of the process.
        if let Some(request) = self.sessions[n].asked.take_if(|_| comes) {
            // Before a minute is over nothing counts as absent; a broker that lets it wait takes a quarter of that.
            let waits = |trouble| matches!(trouble, Trouble::Broker(Fault::SubmitGhost, _));
            let most = if self.faults.iter().any(waits) { 25_000 } else { 40_000 };
            let ms = 5_000 + u64::from(self.time.next_u32() % most);
            self.soon(ms, Happening::Late { account: n, request });
        }
    }

    pub(super) fn fate(&mut self) -> Fate {
        let dice = self.network.next_u32() % 100;
        match dice {
            0..6 if self.troubled && self.faults.has(Trouble::QuestionsLost) => Fate::Lost,
            6..12 if self.troubled && self.faults.has(Trouble::AnswersLost) => Fate::Unanswered,
            _ => Fate::Arrives,
        }
    }

    pub(super) fn free(&mut self, n: usize) {
        self.sessions[n].busy = false;
        if let Some(_cause) = self.sessions[n].adapter.dead() {
            self.sessions[n].connected = false;
            let life = self.life;
            self.soon(500, Happening::Connect { account: n, life });
        }
        self.start(n);
    }

    pub(super) fn connect(&mut self, n: usize) {
        let id = account(ACCOUNTS[n]);
        let fate = self.fate();
        self.line.next(fate);
        let working: Vec<Order> = self.desk.accounts[&id].live().cloned().collect();
        let (at, life) = (self.now, self.life);
        if now(self.sessions[n].adapter.open(at, &working)).is_ok() {
            self.sessions[n].connected = true;
            self.desk.tell_account(&id, AccountInput::Connected);
        } else {
            self.soon(1_000, Happening::Connect { account: n, life });
        }
    }

    pub(super) fn news(&self, account: usize) -> signalbox_brokers::fake::wire::Pushes {
        let (stream, after) = self.sessions[account].adapter.heard();
        let request = PushRequest { account: ACCOUNTS[account].to_owned(), stream, after, wait_ms: 0 };
        self.line.pushes(&request)
    }
}

impl Session {
    pub(super) fn new(n: usize, level: Level, line: &Line) -> Self {
        let installation = InstallationTag::parse(TAG).expect("two characters");
        let facts = Facts { account: ACCOUNTS[n].to_owned(), level, installation };
        let adapter = FakeAdapter::on(line.clone(), facts);
        Self { adapter, level, jobs: VecDeque::new(), busy: false, connected: false, asked: None }
    }
}
