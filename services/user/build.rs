//! Has the program built anew when there is a new migration, which `sqlx::migrate!` cannot do.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
