mod arrivals;
mod gcra_table;
mod locked_table;
#[cfg(all(test, not(seawall_loom)))]
mod model;
mod print;
