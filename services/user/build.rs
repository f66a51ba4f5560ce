//! Rebuilds the program when a migration changes, which `sqlx::migrate!` cannot trigger.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
