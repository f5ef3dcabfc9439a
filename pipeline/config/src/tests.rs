mod fake;
mod messages;
mod reading;
mod robust;
mod secrets;
