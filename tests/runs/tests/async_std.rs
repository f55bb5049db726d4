//! The suite on async-std, whose one runtime all cases share.

use allhome::runtime::{AsyncStd, IntoRuntime, Runtime};
use allhome_conformance::{Host, Root, main as suite};
use allhome_rt::SpawnLocal;
use std::rc::Rc;

struct Process;

impl Host for Process {
    fn runtime(&self) -> Runtime {
        AsyncStd.into_runtime().expect("it starts itself")
    }

    fn block_on(&mut self, root: Root<'_>) {
        async_std::task::block_on(root);
    }

    fn threads(&self) -> usize {
        self.runtime().threads()
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(AsyncStd))
    }
}

fn main() -> std::process::ExitCode {
    suite("async_std", || Box::new(Process))
}
