//! The ways in which the executor can be broken, each with the rule that is to find it.

macro_rules! faults {
    ($($name:ident $rule:literal $what:literal;)*) => {
        /// One way to be broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            /// Honest.
            Honest,
            $(#[doc = $what] $name,)*
        }

        /// Each fault, the rule that is to find it, and what it is.
        pub(crate) const FAULTS: &[(Fault, &str, &str)] = &[$((Fault::$name, $rule, $what),)*];
    };
}

faults! {
    StartPanics "W41" "it cannot be started";
    RootIsNeverPolled "W42" "the root is not polled";
    DriveReturnsEarly "W42" "the drive returns after the first poll of its root";
    LocalIsNotDeclared "W43" "local tasks are there and not declared";
    ClaimsTwoThreads "W44" "one thread, and two are claimed";
    EndIsGlobal "W45" "the end of one is the end of all";

    RootWakeByTaskLost "W30" "wakes of the root in a task's poll are lost";
    RootPolledElsewhere "W31" "the root is polled on a thread of its own";
    RootNotWokenFromElsewhere "W32" "wakes of the root from other threads are lost";
    RootPanicIsKept "W33" "a panic of the root ends the drive, and does not reach the caller";
    RootPanicBreaksIt "W33" "after a panic of the root it cannot be driven again";
    RootWakeIsThreadToken "W34" "a wake of the root is the thread's token, which a poll may use up";
    RootIsPolledAlways "W35" "the root is polled at every turn";
    EndOfDriveDropsTasks "W36" "tasks do not outlive a drive";
    WakesBetweenDrivesLost "W36" "wakes between two drives are lost";
    SpawnedBetweenDrivesLost "W36" "tasks that are spawned between two drives are lost";
    OldRootWakerPanics "W40" "the waker of a root that is over panics";
    RootIsDroppedLate "W37" "the root is dropped at the next drive";
    RootIsKept "W37" "the root is not dropped";
    RootWakeInPollLost "W38" "wakes of the root during its own poll are lost";
    DriveRunsQueueDry "W39" "the drive returns when the queue is empty";

    LosesEveryHundredth "R11" "every hundredth task is lost";
    QueueOf256 "R11" "what does not fit into the queue is lost";
    SpawnsOfAPollAreFewerThan300 "R10" "of the tasks that one poll spawns, those after the three-hundredth are lost";
    SpawnPollsInline "R12" "spawn polls";
    ForeignSpawnNotTold "R13" "a spawn from another thread does not wake the driver";
    SpawnInPollDeadlocks "R14" "the queue's lock is held while a task is polled";
    SpawnInDropDeadlocks "W84" "the queue's lock is held while a task is dropped at the end";
    ThinStacks "R15" "tasks are polled with 64 KiB of stack";
    ForeignSpawnsRace "R16" "of tasks that two threads spawn at once one is lost";
    ForeignSpawnWaitsForPoll "R17" "a spawn from another thread waits for the end of a poll";
    QueueIsBounded "R17" "spawn waits for room in the queue";
    SpawnInPollNotTold "R18" "what a task spawns waits for something else to happen";
    BornAsleep "R19" "a task is not polled before it is woken";

    TwoPollAtOnce "R21" "a wake from another thread during the poll polls the task there";
    PollsAnyTask "R24" "a task is polled without a wake";
    OneWakerForAll "R24" "a wake wakes all";
    WakeInAPollPollsInline "R26" "a wake inside a poll polls the other task on the same stack";

    WakesAreNothing "R39" "a wake does nothing";
    SecondWakeTakesOut "R30" "a second wake takes the task out of the queue";
    WakeInOwnPollLost "R31" "wakes during the task's own poll are lost";
    WakeInPollFromElsewhereLost "R32" "wakes from another thread during the poll are lost";
    ForeignWakeNotTold "R33" "a wake from another thread does not wake the driver";
    WakePollsInline "R34" "a wake polls";
    WokenHasOnePlace "R35" "of the woken tasks only the last is polled";
    WakeInRootPollLost "W11" "wakes of a task by the root are lost";
    PollsRunOut "R36" "a task is dropped at its two-hundredth poll";
    EveryFiftiethWakeLost "R36" "every fiftieth wake is lost";
    WakesRunOut "R36" "the hundredth wake of a task is its last";
    WakeAfterTaskPanics "R37" "a wake after the task's end panics";
    EachWakeIsQueued "R38" "each wake queues the task once more";
    WakeByValueIgnored "W11" "wakes by value are ignored";
    WakeByRefIgnored "W11" "wakes by reference are ignored";
    WakerOfEachPoll "W12" "each poll has a waker of its own";
    WakesNewest "W13" "a waker wakes the task that was spawned last";
    WakeInPanicIgnored "W14" "wakes while a thread unwinds are ignored";
    LastCloneIgnored "W15" "the last clone of a waker does nothing";
    ManyWakersLost "W16" "of wakes that two threads send at once both are lost";
    ManyClonesWakeNewest "W18" "a waker of which there are more than 200 clones wakes the task that was spawned last";
    EndedTasksStay "W10" "the record of a task stays when it has ended";
    WakeByValueLeaks "W19" "a wake by value does not let go of its count";
    OnlyLatestWaker "W17" "only the waker of the latest poll wakes";

    PanicLosesTheQueue "R51" "what is in the queue when a task panics is lost";
    PanicsRunOut "R51" "the tenth panic of a task ends the drive";
    PanicEndsDriver "R52" "a panic of a task, in its destructor as well, ends the drive";
    PanicTakesOthersAlong "R53" "a panic of a task drops all others";

    OneAnInstant "R60" "two sleeps until one instant are one";
    SleepsAreFewerThan300 "R60" "there is room for 300 sleeps";
    NowIsCoarse "R61" "now is in steps of ten milliseconds, and sleeps are not";
    SleepAfterIsShort "W60" "sleep_after gives a sleep of half the duration";
    SleepAfterIsLate "W60" "sleep_after gives an instant that is a second late";
    OneSleepAWaker "W63" "a waker has one sleep: the next takes its place";
    RoundsDown "R61" "a sleep is rounded down to milliseconds";
    PastNeverEnds "R62" "a sleep until an instant of the past never ends";
    FarPanics "R63" "a sleep of a hundred years overflows";
    FarEnds "R63" "a sleep of a hundred years ends at once";
    InBatches "R64" "sleeps are looked at every 40 ms, and the latest woken first";
    OneEndsAll "R65" "the end of one sleep ends all";
    LongestFirst "R66" "only the sleep that was made first is looked at";
    FirstWakerStays "R67" "the waker of a sleep's first poll stays";
    DropKeepsSleep "R68" "a sleep that is dropped stays where it is";
    HomeThreadOnly "R69" "sleeps are for the driver's thread only";
    ClockGoesBack "W61" "now goes back at times";
    CountsFromFirstPoll "W62" "a sleep counts from its first poll";
    TimersWithTheRoot "W63" "the timer is looked at with the root only";
    ForeignSleepNotTold "W64" "a sleep from another thread does not wake the driver";
    WakerPanicEndsDriver "W65" "a panic of a sleep's waker ends the drive";
    DropTakesTheInstant "W66" "a sleep that is dropped takes all others until its instant along";
    TimerHoldsItsLock "W67" "wakers are called with the timer's lock held";
    SecondsHave32Bits "W68" "the seconds of a sleep have 32 bits";
    MillisHave32Bits "W68" "the milliseconds of a sleep have 32 bits";
    MicrosHave32Bits "W68" "the microseconds of a sleep have 32 bits";
    LastSlotIsSkipped "W69" "a sleep of 64 milliseconds, or a multiple, is never looked at";
    TimersWhenIdle "R96" "the timer is looked at when there is nothing to run";

    TasksWaitForJobs "R71" "no task is polled while a job runs";
    JobsWaitForAThread "W71" "with a hundred jobs handed in, the caller of the next waits for a thread";
    JobPanicEndsPool "R72" "a panic of a job ends the pool";
    OneJobAtATime "R73" "jobs run one after the other";
    JobQueueOf100 "R74" "the queue has room for a hundred jobs in all, and the others are lost";
    EveryTenthJobDropped "R74" "every tenth job is dropped uncalled";
    JobsRunInline "R75" "with six jobs handed in, the caller runs the next itself";
    WakesOfJobsLost "R76" "wakes by jobs are lost";
    SpawnsOfJobsLost "R76" "tasks that jobs spawn are lost";
    JobsHoldTheLock "R76" "the lock is held while a job runs";
    JobsAreLeaked "R77" "jobs that wait at the end are leaked";
    JobAfterEndLeaks "R78" "a job after the end is leaked";

    ForgetsWhoWaits "R81" "tasks that wait at the end are leaked";
    DropsUnderLock "R82" "tasks are dropped with the lock held, at the end";
    EndPanics "R81" "the end panics when tasks are left";
    SpawnInTurnInEndLeaks "W84" "what the destructor of such a task spawns at the end is leaked";
    SpawnAfterEndLeaks "R84" "a task that is spawned after the end is leaked";
    SpawnAfterEndPolls "R84" "a task that is spawned after the end is polled";
    ThreadIsLeft "R85" "a thread is left at the end";
    JobThreadIsLeft "R85" "a thread that has called a job is left at the end";
    SleepThreadIsLeft "R85" "a thread that waits for a sleep is left at the end";
    EndRunsQueue "R86" "the end polls what is in the queue";
    WakePollsAfterEnd "R86" "a wake after the end polls";
    ForgetsWhoIsWoken "R87" "a task that another thread has woken is leaked at the end";
    ForgetsTheQueue "R88" "tasks in the queue at the end are leaked";
    WakersKeepTasks "R89" "a waker keeps its task beyond the end";
    WakeAfterEndPanics "W81" "a wake after the end panics";
    LastWakerDestroys "W82" "a wake after the end drops the task";
    PanicEndsTheEnd "W83" "a panic of a destructor ends the end";
    SpawnInEndLeaks "W84" "what destructors spawn at the end is leaked";

    NewestFirst "R91" "the newest in the queue is polled first";
    OldestFirst "R91" "of those in the queue the one that was spawned first is polled first";
    PartnerFirst "R92" "a task that another has woken is polled next";
    TasksAreFewerThan400 "R93" "there is room for 400 tasks";
    QueueBeforeRoot "R95" "the root is polled when the queue is empty";
    ForeignLast "R97" "what other threads spawn is polled when the queue is empty";
    SpawnedInPollFirst "R99" "what a task spawns is polled next";
    RootAlone "R98" "a root that has woken itself is polled again at once";

    BudgetIsForLife "W51" "a task has a budget for all its polls, and not for each";
    CallsShareTheBudget "W52" "of calls with a budget of their own, each has what the last has left";
    CallsTwice "W52" "what is called with a budget is called twice";

    LocalPolledElsewhere "W21" "a local task that another thread has woken is polled elsewhere";
    LocalLivesInItsWaker "W22" "the last waker, dropped elsewhere, drops the local task there";
    LocalWakesOnce "W23" "a local task can be woken once";
    LocalsAreBorrowed "W24" "the local tasks are borrowed during a poll";
    LocalsAreLeaked "W25" "local tasks are leaked at the end";
    LocalForeignWakeLost "W26" "wakes of local tasks from other threads are lost";
    LocalSpawnPollsInline "W27" "a local spawn polls";
    LocalsFirst "W20" "local tasks are polled before all others";
    LocalsLast "W29" "local tasks are polled when the queue has no others";
    LocalQueueOf300 "W28" "local tasks that do not fit are lost";
}
