mod fake;
mod ledger;
mod messages;
mod reading;
mod robust;
mod secrets;
mod several;
