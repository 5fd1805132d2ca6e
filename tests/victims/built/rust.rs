// SPDX-License-Identifier: MIT
// A Rust program: a function with a mangled name, one for C, and one that
// panics, which is caught above it.
#![feature(c_unwind)]

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static LIMIT: AtomicI32 = AtomicI32::new(7);
static ENDS: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicI32 = AtomicI32::new(0);

extern "C" {
    fn prctl(option: i32, ...) -> i32;
}

#[inline(never)]
pub fn mangled(x: i32) -> i32 {
    x * LIMIT.load(Ordering::Relaxed)
}

#[no_mangle]
#[inline(never)]
pub extern "C" fn built_plain(x: i32) -> i32 {
    format!("{:width$}", x, width = LIMIT.load(Ordering::Relaxed) as usize).len() as i32
}

#[no_mangle]
#[inline(never)]
pub extern "C-unwind" fn built_panics(x: i32) -> i32 {
    if x > 3 {
        panic!("{}", x);
    }
    x + LIMIT.load(Ordering::Relaxed)
}

struct Counted<'a>(&'a AtomicI32);
impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn try_panics(alive: &AtomicI32, x: i32) -> i32 {
    std::panic::catch_unwind(|| {
        alive.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(alive);
        built_panics(x)
    })
    .unwrap_or(-1)
}

fn main() {
    let alive = AtomicI32::new(0);

    // PR_SET_PDEATHSIG, SIGKILL
    unsafe { prctl(1, 9) };
    std::panic::set_hook(Box::new(|_| {}));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(|| {
                STARTED.fetch_add(1, Ordering::Relaxed);
                while !ENDS.load(Ordering::Relaxed) {
                    mangled(1);
                    built_plain(1);
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    while STARTED.load(Ordering::Relaxed) < 2 {
        std::thread::yield_now();
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    for _ in std::io::stdin().lock().lines() {
        println!(
            "mangled={} plain={} panics={},{} alive={}",
            mangled(1),
            built_plain(1),
            try_panics(&alive, 1),
            try_panics(&alive, 5),
            alive.load(Ordering::Relaxed)
        );
        std::io::stdout().flush().unwrap();
    }
    ENDS.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}
